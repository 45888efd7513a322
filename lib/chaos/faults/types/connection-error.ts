import { z } from 'zod';
import { defineFaultType } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

export default defineFaultType({
  type: 'connection_error',
  order: 20,
  title: 'Connection refused',
  description: 'The port refuses new connections; open ones are closed cleanly at a message boundary.',
  plane: 'network',
  services: ['yolo26', 'nemotron', 'redis', 'database', 'network', 'ftp', 'gpu', 'pubsub'],
  params: z.strictObject({ services: networkTargets }),
  proxy: { action: 'refuse' },
  makes: ['refused', 'reset', 'timeout'],
  promises: [
    { service: 'redis', text: 'In-memory cache and memory queue take over; jobs drain back in order.' },
    { service: 'database', text: '503 with Retry-After or cached data marked stale; health degraded.' },
  ],
});
