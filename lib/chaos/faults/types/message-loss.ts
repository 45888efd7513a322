import { z } from 'zod';
import { channelPart, publishes } from '../channel-part.ts';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'message_loss',
  order: 180,
  title: 'Message loss',
  description: 'Messages are taken and not delivered: publishing is answered with zero subscribers.',
  plane: 'protocol',
  services: ['pubsub'],
  params: z.strictObject({ channel: channelPart }),
  matches: [],
  proxy: {
    action: 'answer',
    looksAt: publishes,
    redisReply: () => ({ reply: ':0\r\n', queued: ['EVAL', 'return 0', '0'] }),
  },
  makes: [], // nobody is told
  promises: [
    {
      service: 'pubsub',
      text: "A message that nobody heard is counted, and goes straight to this process's viewers.",
    },
  ],
});
