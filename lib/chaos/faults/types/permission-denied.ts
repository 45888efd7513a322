import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'permission_denied',
  order: 440,
  title: 'Permission denied',
  description: "The intake's writes fail with EACCES.",
  plane: 'agent',
  services: ['ftp'],
  injector: 'pipeline',
  params: z.strictObject({
    step: z.enum(['store', 'accept']).default('store').meta({
      title: 'Step',
      description: 'When the file is opened for writing, or when the whole file is moved into the inbox',
    }),
  }),
  fileError: { code: 'EACCES', text: 'permission denied' },
  makes: [],
  promises: [
    { service: 'ftp', text: 'Uploads are refused with 451, an alert is raised, cameras keep their frames.' },
  ],
});
