import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'vram_fragmentation',
  order: 280,
  title: 'VRAM fragmentation',
  description:
    'Small pieces in use pin the memory around them: requests fail though the sum of free would do.',
  plane: 'agent',
  services: ['gpu'],
  params: z.strictObject({
    targetFreeMib: z.number().min(0).max(24_564).default(256).meta({
      title: 'Target free',
      description: 'Memory that is left to the driver in one piece',
      unit: 'MiB',
    }),
  }),
  perCall: false,
  makes: ['error_reply', 'timeout'],
  promises: [{ service: 'gpu', text: 'Out of memory halves the batch size; it grows again after the end.' }],
});
