import { z } from 'zod';
import { channelPart, publishes } from '../channel-part.ts';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'publish_failure',
  order: 190,
  title: 'Publish failure',
  description: 'Publishing is answered with an error.',
  plane: 'protocol',
  services: ['pubsub'],
  params: z.strictObject({ channel: channelPart }),
  matches: [],
  proxy: { action: 'answer', looksAt: publishes },
  makes: ['error_reply'],
  promises: [
    {
      service: 'pubsub',
      text: "Publishing is tried again, then events go straight to this process's viewers.",
    },
  ],
});
