import { z } from 'zod';
import { defineFaultType, milliseconds } from '../define.ts';

export default defineFaultType({
  type: 'slow_query',
  order: 140,
  title: 'Slow query',
  description: 'Matching queries reach the server later; connecting and all other queries keep their speed.',
  plane: 'protocol',
  services: ['database'],
  params: z.strictObject({
    latencyMs: milliseconds(
      'Latency',
      { min: 0, max: 60_000, default: 2000 },
      'Added to each matching query',
    ),
    jitterMs: milliseconds(
      'Jitter',
      { min: 0, max: 60_000, default: 0 },
      'Up to this much more or less, drawn for each query',
    ),
  }),
  rampsDelay: true,
  proxy: { action: 'delay', looksAt: (call) => call.sql !== undefined },
  makes: ['timeout', 'reset'],
  promises: [{ service: 'database', text: 'Slow reads are answered from the cache, marked stale.' }],
});
