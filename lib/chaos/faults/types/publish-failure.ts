import { z } from 'zod';
import { channelPart } from '../channel-part.ts';
import { defineFaultType } from '../define.ts';

export const publishFailure = defineFaultType({
  type: 'publish_failure',
  title: 'Publish failure',
  description: 'Publishing is answered with an error.',
  plane: 'protocol',
  services: ['pubsub'],
  params: z.strictObject({ channel: channelPart }),
});
