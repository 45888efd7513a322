import type { Clock, Timer } from '../clock.ts';

interface Waiting {
  readonly run: () => void;
  readonly sinceMs: number;
  timer: Timer;
}

/** The ends of connections that a slow close holds back. */
export class SlowEnds {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get idle(): boolean {
    return this.#waiting.size === 0;
  }

  /** Runs `run`, which passes an end on, after `delayMs`; at once when that is 0. */
  push(delayMs: number, run: () => void): void {
    const waiting = { run, sinceMs: this.#clock.monotonicMs(), timer: { cancel: () => {} } };
    this.#waiting.add(waiting);
    this.#schedule(waiting, delayMs);
  }

  /** Takes another delay, counted from when each end came: 0 lets all of them go. */
  follow(delayMs: number): void {
    for (const waiting of [...this.#waiting]) this.#schedule(waiting, delayMs);
  }

  /** Forgets everything. */
  clear(): void {
    for (const { timer } of this.#waiting) timer.cancel();
    this.#waiting.clear();
  }

  #schedule(waiting: Waiting, delayMs: number): void {
    waiting.timer.cancel();
    const end = () => {
      if (this.#waiting.delete(waiting)) waiting.run();
    };
    const leftMs = waiting.sinceMs + delayMs - this.#clock.monotonicMs();
    if (leftMs <= 0) end();
    else waiting.timer = this.#clock.after(leftMs, end);
  }
}
