import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const processPaused = defineFaultType({
  type: 'process_paused',
  title: 'Process paused',
  description: 'The process gets SIGSTOP: its sockets stay open and nothing answers, until the fault ends.',
  plane: 'process',
  services: ['pipeline', 'inference', 'redis', 'database'],
  injector: 'supervisor',
  params: z.strictObject({}),
  perCall: false,
});
