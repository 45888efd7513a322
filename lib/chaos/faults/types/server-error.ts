import { z } from 'zod';
import { defineFaultType } from '../define.ts';
import { networkTargets } from '../network-targets.ts';

export default defineFaultType({
  type: 'server_error',
  order: 30,
  title: 'Server error',
  description:
    'Calls are answered with an error: an HTTP status, a Redis error reply, SQLSTATE 58000, an FTP 4xx, a CUDA error.',
  plane: 'protocol',
  services: ['yolo26', 'nemotron', 'redis', 'database', 'network', 'ftp', 'gpu', 'pubsub'],
  params: z.strictObject({
    status: z
      .number()
      .int()
      .min(400)
      .max(599)
      .default(500)
      .meta({
        title: 'HTTP status',
        description: 'Status of the answer, from 400 to 499 blaming the request; only HTTP services use it',
        onlyFor: ['yolo26', 'nemotron', 'network'],
      }),
    services: networkTargets,
  }),
  proxy: { action: 'answer', httpAnswer: ({ params }) => ({ status: Number(params['status']) }) },
  makes: ['error_reply', 'reset'],
  promises: [
    { service: 'yolo26', text: 'The breaker opens; jobs go to the fallback queue.' },
    { service: 'nemotron', text: 'Default risk score, marked; re-analysed later.' },
    { service: 'redis', text: 'In-memory cache and memory queue take over; jobs drain back in order.' },
    {
      service: 'database',
      text: '503 with Retry-After or cached data marked stale; writes are made up for.',
    },
    { service: 'ftp', text: 'Cameras keep the frame and send it again.' },
    { service: 'gpu', text: 'The call is answered with an error; its job waits and is tried again.' },
    {
      service: 'pubsub',
      text: "Publishing is tried again, then events go straight to this process's viewers.",
    },
    { service: 'network', text: 'The breakers open; work waits and is done later.' },
  ],
});
