import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'incomplete_upload',
  order: 370,
  title: 'Incomplete upload',
  description: 'Half of a frame is sent, then its data connection ends; the camera tries again.',
  plane: 'agent',
  services: ['ftp'],
  injector: 'cameras',
  params: z.strictObject({
    mode: z.enum(['rst', 'fin']).default('rst').meta({
      title: 'How it ends',
      description: 'Reset, or an orderly end that FTP takes for success: only the size tells',
    }),
  }),
  makes: [],
  promises: [
    {
      service: 'ftp',
      text: 'The half goes to quarantine with a dead letter; the try that succeeds is linked to it.',
    },
  ],
});
