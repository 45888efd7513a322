import { z } from 'zod';
import { channelPart, publishes } from '../channel-part.ts';
import { defineFaultType, milliseconds } from '../define.ts';

export default defineFaultType({
  type: 'publish_timeout',
  order: 200,
  title: 'Publish time-out',
  description: 'Publishing is not answered; the connection is held, then closed. Deliveries on others go on.',
  plane: 'protocol',
  services: ['pubsub'],
  params: z.strictObject({
    delayMs: milliseconds(
      'Hold',
      { min: 100, max: 600_000, default: 30_000 },
      'How long the connection is held before it is closed',
    ),
    channel: channelPart,
  }),
  matches: [],
  proxy: { action: 'hold', looksAt: publishes },
  makes: ['timeout', 'reset'],
  promises: [
    {
      service: 'pubsub',
      text: "Publishing is tried again, then events go straight to this process's viewers.",
    },
  ],
});
