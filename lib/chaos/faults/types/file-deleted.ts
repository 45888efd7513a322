import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'file_deleted',
  order: 450,
  title: 'File deleted',
  description: 'Destructive: an accepted file is removed from the inbox before it is read.',
  plane: 'agent',
  services: ['ftp'],
  injector: 'pipeline',
  defaultRatio: 0.2,
  params: z.strictObject({}),
  makes: [],
  promises: [{ service: 'ftp', text: 'The upload is "dropped" in the ledger, by name; never lost.' }],
});
