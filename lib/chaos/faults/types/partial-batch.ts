import { z } from 'zod';
import { defineFaultType } from '../define.ts';

export const partialBatch = defineFaultType({
  type: 'partial_batch',
  title: 'Partial batch',
  description:
    'A batch is answered 207: some of its items have failed, the others hold their real detections.',
  plane: 'protocol',
  services: ['yolo26'],
  params: z.strictObject({
    items: z.number().int().min(1).max(32).default(1).meta({
      title: 'Failing items',
      description: 'How many items of each batch fail, drawn by the seed; all when it has no more',
      unit: 'items',
    }),
  }),
  promises: [{ service: 'yolo26', text: 'Each failed item is tried again alone; the others are stored.' }],
});
