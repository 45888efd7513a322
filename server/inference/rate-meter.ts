import type { Clock } from '#lib/chaos/clock.ts';

const WINDOW_MS = 5000;

/** Things a second over the last 5 s. */
export class RateMeter {
  readonly #clock: Clock;
  readonly #startedAt: number;
  #marks: { at: number; count: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.monotonicMs();
  }

  add(count: number): void {
    this.#marks.push({ at: this.#clock.monotonicMs(), count });
  }

  get perSecond(): number {
    const nowMs = this.#clock.monotonicMs();
    this.#marks = this.#marks.filter(({ at }) => nowMs - at < WINDOW_MS);
    const spanMs = Math.min(WINDOW_MS, Math.max(1000, nowMs - this.#startedAt));
    const total = this.#marks.reduce((sum, { count }) => sum + count, 0);
    return Math.round((total / spanMs) * 1e5) / 100;
  }
}
