import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';

export const disconnect = defineFaultType({
  type: 'disconnect',
  title: 'Disconnects',
  description: 'Open pub/sub connections are reset, and each new one again after a while.',
  plane: 'network',
  services: ['pubsub'],
  params: z.strictObject({
    lifeMs: milliseconds(
      'Life of a connection',
      { min: 0, max: 600_000, default: 2000 },
      'How long a new connection lasts',
    ),
  }),
  promises: [{ service: 'pubsub', text: 'The broadcaster subscribes again and sends what was missed.' }],
});
