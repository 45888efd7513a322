import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const corruptedFile = defineFaultType({
  type: 'corrupted_file',
  title: 'Corrupted file',
  description: 'Beside each frame hit, a copy is uploaded whose picture data is damaged.',
  plane: 'agent',
  services: ['ftp'],
  injector: 'cameras',
  params: z.strictObject({}),
  promises: [{ service: 'ftp', text: 'Accepted, then quarantined as CORRUPT_IMAGE with a dead letter.' }],
});
