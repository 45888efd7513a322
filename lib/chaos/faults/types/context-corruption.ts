import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const contextCorruption = defineFaultType({
  type: 'context_corruption',
  title: 'Context corruption',
  description: 'A call spoils its CUDA context: every later call fails until the service restarts itself.',
  plane: 'agent',
  services: ['gpu'],
  params: z.strictObject({}),
  promises: [
    { service: 'gpu', text: 'The service restarts itself, counted, with back-off; jobs wait meanwhile.' },
  ],
});
