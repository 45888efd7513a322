import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'corrupted_file',
  order: 390,
  title: 'Corrupted file',
  description: 'Beside each frame hit, a damaged file is uploaded.',
  plane: 'agent',
  services: ['ftp'],
  injector: 'cameras',
  params: z.strictObject({
    content: z.enum(['image', 'video']).default('image').meta({
      title: 'Content',
      description: 'The frame with damaged picture data, or an .mp4 that is cut off',
    }),
  }),
  makes: [],
  promises: [
    {
      service: 'ftp',
      text: 'Accepted, then quarantined as CORRUPT_IMAGE or CORRUPT_VIDEO with a dead letter.',
    },
  ],
});
