import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const deviceIndex = defineFaultType({
  type: 'device_index',
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
  promises: [
    { service: 'gpu', text: '/health says "device: cpu" while the card is idle; inference is 12 × slower.' },
  ],
});
