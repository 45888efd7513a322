import { z } from 'zod';
import { isSubscribing } from '../../proxy/redis/commands.ts';
import { channelPart, onChannel } from '../channel-part.ts';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'subscription_failure',
  order: 210,
  title: 'Subscription failure',
  description: 'Subscribing to a matching channel is refused as by an ACL (NOPERM); open subscriptions stay.',
  plane: 'protocol',
  services: ['pubsub'],
  params: z.strictObject({ channel: channelPart }),
  matches: [],
  proxy: {
    action: 'answer',
    looksAt: (call, fault) => isSubscribing(call.command) && onChannel(call, fault),
    redisReply: () => ({
      error: 'NOPERM this user has no permissions to access one of the channels used as arguments',
    }),
  },
  makes: ['error_reply'],
  promises: [
    {
      service: 'pubsub',
      text: 'Each channel that failed is named; it is subscribed to when it is allowed again.',
    },
  ],
});
