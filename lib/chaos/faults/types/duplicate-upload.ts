import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const duplicateUpload = defineFaultType({
  type: 'duplicate_upload',
  title: 'Duplicate upload',
  description: 'Each frame hit is uploaded once more, byte for byte, under another name.',
  plane: 'agent',
  services: ['ftp'],
  injector: 'cameras',
  params: z.strictObject({}),
  promises: [{ service: 'ftp', text: 'Found by its SHA-256: "duplicate" in the ledger, in no event twice.' }],
});
