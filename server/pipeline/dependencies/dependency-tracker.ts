import { type Judgement, judge, symptomOf } from '#lib/agent/origin.ts';
import type { Clock } from '#lib/chaos/clock.ts';
import type { ActiveFault } from '#lib/protocol/events.ts';
import type { ServiceName } from '#lib/protocol/faults.ts';
import { DEPENDENCY_NAMES } from '#lib/protocol/services.ts';
import type { DependencyStatus } from '#lib/protocol/state.ts';
import { type CallSummary, CallWindow, percentilesOf } from './call-window.ts';

export interface DependencyTrackerOptions {
  clock: Clock;
  /** Faults in force or ended a moment ago. */
  activeFaults: () => readonly ActiveFault[];
  /** How long an ended fault still explains failures, ms. */
  recentMs: number;
}

/** Counts the pipeline's calls by dependency and tells injected from organic failures. */
export class DependencyTracker {
  readonly #options: DependencyTrackerOptions;
  readonly #windows = new Map<ServiceName, CallWindow>();

  constructor(options: DependencyTrackerOptions) {
    this.#options = options;
    for (const name of DEPENDENCY_NAMES) this.#windows.set(name, new CallWindow({ clock: options.clock }));
  }

  /** Runs a call and counts it; its result or error is handed on unchanged. */
  async track<T>(service: ServiceName, call: () => Promise<T>): Promise<T> {
    const startedAt = this.#options.clock.monotonicMs();
    try {
      const result = await call();
      this.record(service, this.#options.clock.monotonicMs() - startedAt);
      return result;
    } catch (error) {
      this.record(service, this.#options.clock.monotonicMs() - startedAt, error);
      throw error;
    }
  }

  record(service: ServiceName, durationMs: number, error?: unknown): void {
    // A rejection by a breaker is not a call; aborts are ours.
    const code = (error as { code?: unknown } | undefined)?.code;
    if (code === 'BREAKER_OPEN' || (error as { name?: unknown } | undefined)?.name === 'AbortError') return;
    const failure = error === undefined ? null : this.judge(service, error).origin;
    this.#windows.get(service)?.record(durationMs, failure);
  }

  judge(service: ServiceName, error: unknown): Judgement {
    return judge(symptomOf(service, error), this.#options.activeFaults(), {
      now: this.#options.clock.now(),
      recentMs: this.#options.recentMs,
    });
  }

  status(): DependencyStatus[] {
    return [...this.#windows].map(([name, window]) => {
      const { callsPerSecond, errorRatio, injected, organic, durations } = window.summary();
      return { name, callsPerSecond, errorRatio, injected, organic, ...percentilesOf(durations) };
    });
  }

  /** Over all dependencies together. */
  totals(): {
    injectedPerSecond: number;
    organicPerSecond: number;
    p50Ms: number | null;
    p95Ms: number | null;
  } {
    const summaries = [...this.#windows.values()].map((window) => window.summary());
    const sum = (pick: (summary: CallSummary) => number) =>
      summaries.reduce((total, summary) => total + pick(summary), 0);
    const all = new Float64Array(sum(({ count }) => count));
    let filled = 0;
    for (const { durations } of summaries) {
      all.set(durations, filled);
      filled += durations.length;
    }
    const { p50Ms, p95Ms } = percentilesOf(all.sort());
    return {
      injectedPerSecond: sum((summary) => summary.injected) / 10,
      organicPerSecond: sum((summary) => summary.organic) / 10,
      p50Ms,
      p95Ms,
    };
  }
}
