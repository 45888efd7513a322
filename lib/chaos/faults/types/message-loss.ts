import { z } from 'zod';
import { channelPart } from '../channel-part.ts';
import { defineFaultType } from '../define.ts';

export const messageLoss = defineFaultType({
  type: 'message_loss',
  title: 'Message loss',
  description: 'Messages are taken and not delivered: publishing is answered with zero subscribers.',
  plane: 'protocol',
  services: ['pubsub'],
  params: z.strictObject({ channel: channelPart }),
});
