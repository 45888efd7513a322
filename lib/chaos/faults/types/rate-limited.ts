import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';

export const rateLimited = defineFaultType({
  type: 'rate_limited',
  title: 'Rate limited',
  description: 'Requests are answered 429 with Retry-After; the model is not called.',
  plane: 'protocol',
  services: ['nemotron'],
  params: z.strictObject({
    retryAfterMs: milliseconds(
      'Retry after',
      { min: 0, max: 600_000, default: 2000 },
      'What Retry-After says, rounded up to whole seconds',
    ),
  }),
  promises: [{ service: 'nemotron', text: 'Default risk score, marked; re-analysed later.' }],
});
