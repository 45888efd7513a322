import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'device_index',
  order: 360,
  title: 'Wrong device index',
  description: 'The services are told to use a card that is not there: inference runs on the CPU.',
  plane: 'agent',
  services: ['gpu'],
  params: z.strictObject({
    index: z
      .number()
      .int()
      .min(1)
      .max(15)
      .default(1)
      .meta({ title: 'Device index', description: 'The card asked for; only 0 exists' }),
  }),
  perCall: false,
  makes: ['timeout', 'error_reply'],
  promises: [
    { service: 'gpu', text: '/health says "device: cpu" while the card is idle; inference is 12 × slower.' },
  ],
});
