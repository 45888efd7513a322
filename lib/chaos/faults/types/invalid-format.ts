import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'invalid_format',
  order: 400,
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
  makes: [],
  promises: [
    { service: 'ftp', text: 'Quarantined as UNSUPPORTED_FORMAT, or CORRUPT_IMAGE when it is disguised.' },
  ],
});
