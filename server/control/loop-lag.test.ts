import { afterEach, expect, it, vi } from 'vitest';
import { LoopLag } from './loop-lag.ts';

let lag: LoopLag | undefined;
afterEach(() => lag?.close());

function holdLoop(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

it('tells of a held loop', async () => {
  const told: number[] = [];
  lag = new LoopLag({ onLag: (lagMs) => told.push(lagMs), thresholdMs: 100, quietMs: 0 });
  await new Promise((resolve) => setTimeout(resolve, 20)); // the histogram needs a first turn
  holdLoop(180);
  await vi.waitFor(() => expect(told[0]).toBeGreaterThan(100), { timeout: 8000 });
});

it('shows the hold of its own start without making a fact of it', async () => {
  const told: number[] = [];
  lag = new LoopLag({ onLag: (lagMs) => told.push(lagMs), thresholdMs: 100, quietMs: 60_000 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  holdLoop(180);
  await vi.waitFor(() => expect(lag?.lagMs).toBeGreaterThan(100), { timeout: 8000 });
  expect(told).toEqual([]);
});
