import type { Clock } from '#lib/chaos/clock.ts';
import type { Origin } from '#lib/protocol/state.ts';
import { percentile } from './percentile.ts';

interface Call {
  atMs: number;
  durationMs: number;
  /** null: it succeeded. */
  failure: Origin | null;
}

export interface CallWindowOptions {
  clock: Clock;
  /** Calls older than this are forgotten, ms. @default 10 000 */
  windowMs?: number;
  /** Most calls kept; older ones go first. @default 5000 */
  maxCalls?: number;
}

/** The calls of the last seconds to one dependency. */
export class CallWindow {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #maxCalls: number;
  #calls: Call[] = [];

  constructor({ clock, windowMs = 10_000, maxCalls = 5000 }: CallWindowOptions) {
    this.#clock = clock;
    this.#windowMs = windowMs;
    this.#maxCalls = maxCalls;
  }

  record(durationMs: number, failure: Origin | null): void {
    this.#calls.push({ atMs: this.#clock.monotonicMs(), durationMs, failure });
    if (this.#calls.length > this.#maxCalls * 2) this.#calls = this.#calls.slice(-this.#maxCalls);
  }

  summary(): CallSummary {
    const since = this.#clock.monotonicMs() - this.#windowMs;
    const firstYoung = this.#calls.findIndex((call) => call.atMs >= since);
    this.#calls = firstYoung === -1 ? [] : this.#calls.slice(firstYoung);
    const count = this.#calls.length;
    const failures = { injected: 0, organic: 0 };
    // Typed: sorted as numbers, without a function for each comparison.
    const durations = new Float64Array(count);
    for (const [index, { durationMs, failure }] of this.#calls.entries()) {
      durations[index] = durationMs;
      if (failure !== null) failures[failure]++;
    }
    return {
      count,
      callsPerSecond: count / (this.#windowMs / 1000),
      errorRatio: count === 0 ? 0 : (failures.injected + failures.organic) / count,
      ...failures,
      durations: durations.sort(),
    };
  }

  percentiles(): Percentiles {
    return percentilesOf(this.summary().durations);
  }
}

export interface CallSummary {
  count: number;
  callsPerSecond: number;
  errorRatio: number;
  injected: number;
  organic: number;
  /** ms, ascending. */
  durations: Float64Array;
}

export interface Percentiles {
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

export function percentilesOf(durations: Float64Array): Percentiles {
  return {
    p50Ms: percentile(durations, 0.5),
    p95Ms: percentile(durations, 0.95),
    p99Ms: percentile(durations, 0.99),
  };
}
