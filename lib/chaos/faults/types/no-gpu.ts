import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'no_gpu',
  order: 350,
  title: 'No GPU',
  description: 'The driver sees no card: inference runs on the CPU, about 12 times slower.',
  plane: 'agent',
  services: ['gpu'],
  params: z.strictObject({}),
  perCall: false,
  makes: ['timeout', 'error_reply'],
  promises: [
    { service: 'gpu', text: '/health says "device: cpu"; the LLM exceeds its time-out: default scores.' },
  ],
});
