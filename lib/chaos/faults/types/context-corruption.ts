import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'context_corruption',
  order: 310,
  title: 'Context corruption',
  description: 'A call spoils its CUDA context: every later call fails until the service restarts itself.',
  plane: 'agent',
  services: ['gpu'],
  params: z.strictObject({}),
  makes: ['error_reply', 'timeout'],
  promises: [
    { service: 'gpu', text: 'The service restarts itself, counted, with back-off; jobs wait meanwhile.' },
  ],
});
