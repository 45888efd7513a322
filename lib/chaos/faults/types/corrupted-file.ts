import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'corrupted_file',
  order: 390,
  title: 'Corrupted file',
  description: 'Beside each frame hit, a copy is uploaded whose picture data is damaged.',
  plane: 'agent',
  services: ['ftp'],
  injector: 'cameras',
  params: z.strictObject({}),
  makes: [],
  promises: [{ service: 'ftp', text: 'Accepted, then quarantined as CORRUPT_IMAGE with a dead letter.' }],
});
