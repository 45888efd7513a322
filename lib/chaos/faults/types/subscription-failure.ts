import { z } from 'zod';
import { channelPart } from '../channel-part.ts';
import { defineFaultType } from '../define.ts';

export const subscriptionFailure = defineFaultType({
  type: 'subscription_failure',
  title: 'Subscription failure',
  description: 'Subscribing to a matching channel is refused as by an ACL (NOPERM); open subscriptions stay.',
  plane: 'protocol',
  services: ['pubsub'],
  params: z.strictObject({ channel: channelPart }),
});
