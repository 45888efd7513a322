import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'model_corrupted',
  order: 320,
  title: 'Model corrupted',
  description:
    'Bytes of the model file on disk are changed and its service reloads it: the checksum is wrong.',
  plane: 'agent',
  services: ['gpu'],
  params: z.strictObject({
    model: z
      .enum(['yolo26', 'nemotron'])
      .default('yolo26')
      .meta({ title: 'Model', description: 'Whose file is damaged' }),
    storeDown: z.boolean().default(true).meta({
      title: 'Model store down',
      description:
        'On: the file cannot be fetched again before the fault ends; off: the service heals at once',
    }),
  }),
  perCall: false,
  makes: ['error_reply'],
  promises: [
    { service: 'gpu', text: 'The service refuses to serve; the file is fetched again, then loaded.' },
  ],
});
