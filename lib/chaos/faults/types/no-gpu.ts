import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const noGpu = defineFaultType({
  type: 'no_gpu',
  title: 'No GPU',
  description: 'The driver sees no card: inference runs on the CPU, about 12 times slower.',
  plane: 'agent',
  services: ['gpu'],
  params: z.strictObject({}),
  perCall: false,
  promises: [
    { service: 'gpu', text: '/health says "device: cpu"; the LLM exceeds its time-out: default scores.' },
  ],
});
