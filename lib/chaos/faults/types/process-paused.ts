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
});
