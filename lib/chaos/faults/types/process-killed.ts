import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';

export default defineFaultType({
  type: 'process_killed',
  order: 480,
  title: 'Process killed',
  description: 'The process gets SIGKILL and is held down, then started again.',
  plane: 'process',
  services: ['pipeline', 'inference', 'redis', 'database'],
  injector: 'supervisor',
  params: z.strictObject({
    holdMs: milliseconds(
      'Held down',
      { min: 0, max: 600_000, default: 20_000 },
      'How long it stays down; 0 restarts it at once',
    ),
  }),
  perCall: false,
  makes: ['refused', 'reset', 'timeout', 'error_reply'],
  promises: [
    { service: 'pipeline', text: 'What was accepted is still there; its work goes on after the restart.' },
    { service: 'inference', text: 'The breakers open; jobs wait and are done after the restart.' },
    { service: 'redis', text: 'In-memory cache and memory queue take over; jobs drain back in order.' },
    { service: 'database', text: '503 with Retry-After or cached data marked stale; health degraded.' },
  ],
});
