import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'process_paused',
  order: 490,
  title: 'Process paused',
  description: 'The process gets SIGSTOP: its sockets stay open and nothing answers, until the fault ends.',
  plane: 'process',
  services: ['pipeline', 'inference', 'redis', 'database'],
  injector: 'supervisor',
  params: z.strictObject({}),
  perCall: false,
  makes: ['timeout', 'reset', 'error_reply'],
  promises: [
    {
      service: 'pipeline',
      text: 'It is shown as silent; its work goes on when it does, and nothing is lost.',
    },
    { service: 'inference', text: 'Time-outs open the breakers; jobs wait and are done afterwards.' },
    { service: 'redis', text: 'In-memory cache and memory queue take over; jobs drain back in order.' },
    { service: 'database', text: '503 with Retry-After or cached data marked stale; health degraded.' },
  ],
});
