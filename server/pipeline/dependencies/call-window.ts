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

  summary(): {
    count: number;
    callsPerSecond: number;
    errorRatio: number;
    injected: number;
    organic: number;
    durations: number[];
  } {
    const since = this.#clock.monotonicMs() - this.#windowMs;
    const firstYoung = this.#calls.findIndex((call) => call.atMs >= since);
    this.#calls = firstYoung === -1 ? [] : this.#calls.slice(firstYoung);
    const count = this.#calls.length;
    const injected = this.#calls.filter((call) => call.failure === 'injected').length;
    const organic = this.#calls.filter((call) => call.failure === 'organic').length;
    return {
      count,
      callsPerSecond: count / (this.#windowMs / 1000),
      errorRatio: count === 0 ? 0 : (injected + organic) / count,
      injected,
      organic,
      durations: this.#calls.map((call) => call.durationMs).sort((a, b) => a - b),
    };
  }

  percentiles(): { p50Ms: number | null; p95Ms: number | null; p99Ms: number | null } {
    const { durations } = this.summary();
    return {
      p50Ms: percentile(durations, 0.5),
      p95Ms: percentile(durations, 0.95),
      p99Ms: percentile(durations, 0.99),
    };
  }
}
