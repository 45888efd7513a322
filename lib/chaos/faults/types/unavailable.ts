import { z } from 'zod';
import { defineFaultType } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

export default defineFaultType({
  type: 'unavailable',
  order: 60,
  title: 'Unavailable',
  description: 'Open connections are reset (RST) and new ones refused; on the GPU, Xid 79.',
  plane: 'network',
  services: ['yolo26', 'nemotron', 'redis', 'database', 'network', 'ftp', 'gpu', 'pubsub'],
  params: z.strictObject({ services: networkTargets }),
  proxy: { action: 'cut' },
  makes: ['refused', 'reset', 'timeout', 'error_reply'],
});
