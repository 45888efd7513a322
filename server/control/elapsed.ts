import type { Clock } from '../../lib/chaos/clock.ts';

/** Time since a monotonic moment, ms with one decimal. */
export function elapsedMs(clock: Clock, sinceMs: number): number {
  return Math.round((clock.monotonicMs() - sinceMs) * 10) / 10;
}
