import { z } from 'zod';
import { defineFaultType } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

export const unavailable = defineFaultType({
  type: 'unavailable',
  title: 'Unavailable',
  description: 'Open connections are reset (RST) and new ones refused; on the GPU, Xid 79.',
  plane: 'network',
  services: ['yolo26', 'nemotron', 'redis', 'database', 'network', 'ftp', 'gpu', 'pubsub'],
  params: z.strictObject({ services: networkTargets }),
});
