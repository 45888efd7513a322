import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'duplicate_upload',
  order: 420,
  title: 'Duplicate upload',
  description: 'Each frame hit is uploaded once more, byte for byte, under another name.',
  plane: 'agent',
  services: ['ftp'],
  injector: 'cameras',
  params: z.strictObject({}),
  makes: [],
  promises: [{ service: 'ftp', text: 'Found by its SHA-256: "duplicate" in the ledger, in no event twice.' }],
});
