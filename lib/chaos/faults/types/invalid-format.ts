import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const invalidFormat = defineFaultType({
  type: 'invalid_format',
  title: 'Invalid format',
  description: 'Beside each frame hit, a file that is no picture is uploaded.',
  plane: 'agent',
  services: ['ftp'],
  injector: 'cameras',
  params: z.strictObject({
    disguise: z.boolean().default(false).meta({
      title: 'Disguised',
      description: 'Off: its name ends in .txt; on: it is called .jpg, so that only the content tells',
    }),
  }),
  promises: [
    { service: 'ftp', text: 'Quarantined as UNSUPPORTED_FORMAT, or CORRUPT_IMAGE when it is disguised.' },
  ],
});
