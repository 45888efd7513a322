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
      .min(500)
      .max(599)
      .default(500)
      .meta({ title: 'HTTP status', description: 'Status of the answer; only HTTP services use it' }),
    services: networkTargets,
  }),
  proxy: { action: 'answer', httpAnswer: ({ params }) => ({ status: Number(params['status']) }) },
  makes: ['error_reply', 'reset'],
  promises: [
    { service: 'yolo26', text: 'The breaker opens; jobs go to the fallback queue.' },
    { service: 'nemotron', text: 'Default risk score, marked; re-analysed later.' },
  ],
});
