import { faultMark } from '../../faults/fault.ts';
import { createRandom } from '../../random.ts';

/**
 * Makes `count` of the batch's good items fail; which ones follows from `draw` (0–1).
 *
 * Undefined when the body is not a batch answer.
 */
export function failItems(body: Buffer, count: number, draw: number, faultId: string): Buffer | undefined {
  let batch: { results?: unknown };
  try {
    batch = JSON.parse(body.toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(batch?.results)) return undefined;
  const results: unknown[] = batch.results;
  const random = createRandom(Math.floor(draw * 2 ** 32));
  const chosen = results
    .map((item, index) => ({ index, good: !isError(item), order: random() }))
    .filter(({ good }) => good)
    .sort((a, b) => a.order - b.order)
    .slice(0, count);
  for (const { index } of chosen) {
    const message = `injected by fault partial_batch ${faultMark(faultId)}`;
    results[index] = { index, error: { code: 'INJECTED', message }, status: 500 };
  }
  try {
    return Buffer.from(JSON.stringify({ ...batch, results }));
  } catch {
    return undefined; // nested more deeply than the stack is
  }
}

function isError(item: unknown): boolean {
  return typeof item === 'object' && item !== null && 'error' in item;
}
