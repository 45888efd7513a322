import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';

export default defineFaultType({
  type: 'inference_timeout',
  order: 340,
  title: 'Inference timeout',
  description: 'A kernel runs past its deadline and is terminated; the card is busy all that time.',
  plane: 'agent',
  services: ['gpu'],
  params: z.strictObject({
    deadlineMs: milliseconds(
      'Deadline',
      { min: 10, max: 60_000, default: 2000 },
      'How long the kernel runs before it is terminated',
    ),
  }),
  makes: ['error_reply', 'timeout'],
  promises: [{ service: 'gpu', text: 'The call is answered with 504; its job waits and is tried again.' }],
});
