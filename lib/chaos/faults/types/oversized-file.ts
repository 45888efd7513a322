import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'oversized_file',
  order: 410,
  title: 'Oversized file',
  description: 'Beside each frame hit, a file larger than the intake takes (50 MiB) is uploaded.',
  plane: 'agent',
  services: ['ftp'],
  injector: 'cameras',
  defaultRatio: 0.05, // each one is kept in quarantine: mind the disk
  params: z.strictObject({
    sizeMib: z.number().int().min(51).max(200).default(51).meta({
      title: 'Size',
      description: 'Above 100 MiB the server cuts it off with 552',
      unit: 'MiB',
    }),
  }),
  makes: [],
  promises: [{ service: 'ftp', text: 'Quarantined as TOO_LARGE with a dead letter.' }],
});
