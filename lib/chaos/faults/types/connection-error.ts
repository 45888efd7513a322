import { z } from 'zod';
import { defineFaultType } from '../define.ts';
import { networkTargets } from '../network-targets.ts';
import { OUTAGE_PROMISES } from '../outage-promises.ts';

export default defineFaultType({
  type: 'connection_error',
  order: 20,
  title: 'Connection refused',
  description:
    'The port refuses new connections; open ones are closed cleanly at a message boundary. The GPU has no device.',
  plane: 'network',
  services: ['yolo26', 'nemotron', 'redis', 'database', 'network', 'ftp', 'gpu', 'pubsub'],
  params: z.strictObject({ services: networkTargets }),
  stateOn: ['gpu'],
  proxy: { action: 'refuse' },
  makes: ['refused', 'reset', 'timeout'],
  promises: [
    ...OUTAGE_PROMISES,
    { service: 'gpu', text: '/health says "device: cpu"; the LLM exceeds its time-out: default scores.' },
  ],
});
