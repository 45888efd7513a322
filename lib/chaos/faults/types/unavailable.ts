import { z } from 'zod';
import { defineFaultType } from '../define.ts';
import { networkTargets } from '../network-targets.ts';
import { OUTAGE_PROMISES } from '../outage-promises.ts';

export default defineFaultType({
  type: 'unavailable',
  order: 60,
  title: 'Unavailable',
  description: 'Open connections are reset (RST) and new ones refused; on the GPU, Xid 79.',
  plane: 'network',
  services: ['yolo26', 'nemotron', 'redis', 'database', 'network', 'ftp', 'gpu', 'pubsub'],
  params: z.strictObject({ services: networkTargets }),
  stateOn: ['gpu'],
  proxy: { action: 'cut' },
  makes: ['refused', 'reset', 'timeout', 'error_reply'],
  promises: [
    ...OUTAGE_PROMISES,
    { service: 'gpu', text: 'Jobs wait in the fallback queue; the services restart within 5 s of the end.' },
  ],
});
