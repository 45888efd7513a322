import { z } from 'zod';
import { failItems } from '../../proxy/http/partial-batch.ts';
import { defineFaultType } from '../define.ts';

export default defineFaultType({
  type: 'partial_batch',
  order: 90,
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
  matches: [],
  proxy: {
    action: 'malform',
    looksAt: (call) => call.route === '/detect/batch',
    spoil: (answer, { id, params }, draw) => {
      const failed = failItems(answer.body, Number(params['items']), draw, id);
      return failed ? { status: 207, reason: 'Multi-Status', body: failed } : answer; // refused as a whole
    },
  },
  makes: ['error_reply'],
  promises: [{ service: 'yolo26', text: 'Each failed item is tried again alone; the others are stored.' }],
});
