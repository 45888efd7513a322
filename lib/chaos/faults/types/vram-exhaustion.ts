import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'vram_exhaustion',
  order: 270,
  title: 'VRAM exhaustion',
  description: 'GPU memory is taken until inference runs out of it.',
  plane: 'agent',
  services: ['gpu'],
  params: z.strictObject({
    mode: z.enum(['leak', 'spike', 'neighbour']).default('neighbour').meta({
      title: 'Mode',
      description: 'Our own leak, one large allocation, or another tenant of the card',
    }),
    rateMibPerSecond: z.number().min(1).max(100_000).default(1500).meta({
      title: 'Rate',
      description: 'How fast memory is taken; a spike takes it at once',
      unit: 'MiB/s',
    }),
    targetFreeMib: z
      .number()
      .min(0)
      .max(24_564)
      .default(256)
      .meta({ title: 'Target free', description: 'Taking stops at this much free memory', unit: 'MiB' }),
  }),
  perCall: false,
  makes: ['error_reply', 'timeout'],
  promises: [{ service: 'gpu', text: 'Out of memory halves the batch size; it grows again after recovery.' }],
});
