import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';

export default defineFaultType({
  type: 'rate_limited',
  order: 80,
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
  proxy: {
    action: 'answer',
    looksAt: (call) => call.healthCheck !== true,
    httpAnswer: ({ params }) => ({
      status: 429,
      kind: 'rate_limit_error',
      headers: { 'retry-after': String(Math.ceil(Number(params['retryAfterMs']) / 1000)) },
    }),
  },
  makes: ['error_reply'],
  promises: [{ service: 'nemotron', text: 'Default risk score, marked; re-analysed later.' }],
});
