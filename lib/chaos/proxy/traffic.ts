import type { Clock } from '../clock.ts';

export interface TrafficTotals {
  requests: number;
  bytes: number;
  hits: number;
}

/** Rates are over this long at least, so that a reader at 4 Hz does not see noise. */
const WINDOW_MS = 1000;

/** What went through one proxy: totals, and rates over about the last second. */
export class Traffic {
  readonly totals: TrafficTotals = { requests: 0, bytes: 0, hits: 0 };
  readonly #clock: Clock;
  readonly #samples: { atMs: number; totals: TrafficTotals }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A second's worth of `key`; null until something to compare with exists. */
  perSecond(key: keyof TrafficTotals): number | null {
    const nowMs = this.#clock.monotonicMs();
    const samples = this.#samples;
    const newest = samples.at(-1);
    if (!newest || nowMs - newest.atMs >= WINDOW_MS / 8) {
      samples.push({ atMs: nowMs, totals: { ...this.totals } });
    }
    while ((samples[1]?.atMs ?? nowMs) <= nowMs - WINDOW_MS) samples.shift();
    const oldest = samples[0];
    if (!oldest || oldest.atMs >= nowMs) return null;
    return ((this.totals[key] - oldest.totals[key]) * 1000) / (nowMs - oldest.atMs);
  }
}
