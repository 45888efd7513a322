import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'permission_denied',
  order: 440,
  title: 'Permission denied',
  description: "The intake's files fail with EACCES.",
  plane: 'agent',
  services: ['ftp'],
  injector: 'pipeline',
  params: z.strictObject({
    step: z.enum(['store', 'accept', 'read']).default('store').meta({
      title: 'Step',
      description: 'Opening the file for writing, moving the whole file into the inbox, or reading it there',
    }),
  }),
  fileError: { code: 'EACCES', text: 'permission denied' },
  makes: [],
  promises: [
    {
      service: 'ftp',
      text: 'Uploads are refused with 451, an alert is raised, cameras keep their frames; what cannot be read waits in the inbox.',
    },
  ],
});
