import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';

export default defineFaultType({
  type: 'disconnect',
  order: 170,
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
  proxy: { action: 'drop' },
  makes: ['reset', 'refused', 'timeout'],
  promises: [{ service: 'pubsub', text: 'The broadcaster subscribes again and sends what was missed.' }],
});
