import type { Clock, Timer } from '../clock.ts';

interface Delayed {
  readonly dueMs: number;
  readonly sizeBytes: number;
  readonly run: () => void;
}

/**
 * Lets things happen later, in order, each its own delay after it came: latency without a cut in throughput.
 *
 * An item never overtakes an earlier one, even when its own delay is shorter.
 */
export class DelayLine {
  readonly #clock: Clock;
  #items: Delayed[] = [];
  #timer: Timer | undefined;
  #lastDueMs = 0;
  #sizeBytes = 0;
  #runningUntilMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get idle(): boolean {
    return this.#items.length === 0;
  }

  /** Bytes waiting. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  push(delayMs: number, sizeBytes: number, run: () => void): void {
    const dueMs = Math.max(this.#clock.monotonicMs() + delayMs, this.idle ? 0 : this.#lastDueMs);
    this.#lastDueMs = dueMs;
    this.#sizeBytes += sizeBytes;
    this.#items.push({ dueMs, sizeBytes, run });
    if (this.#items.length === 1 && this.#runningUntilMs === undefined) this.#arm();
  }

  /** Runs everything now, in order. */
  flush(): void {
    this.#run(Number.POSITIVE_INFINITY);
  }

  /** Forgets everything. */
  clear(): void {
    this.#timer?.cancel();
    this.#items = [];
    this.#sizeBytes = 0;
  }

  #arm(): void {
    const first = this.#items[0];
    if (!first) return;
    this.#timer = this.#clock.after(first.dueMs - this.#clock.monotonicMs(), () => {
      this.#run(this.#clock.monotonicMs() + 0.5); // timers may fire a fraction of a millisecond early
    });
  }

  /** An item stays in line while it runs, so that what it sends queues behind the items after it. */
  #run(untilMs: number): void {
    if (this.#runningUntilMs !== undefined) {
      this.#runningUntilMs = Math.max(this.#runningUntilMs, untilMs);
      return;
    }
    this.#timer?.cancel();
    this.#runningUntilMs = untilMs;
    for (let item = this.#items[0]; item && item.dueMs <= this.#runningUntilMs; item = this.#items[0]) {
      item.run();
      if (this.#items[0] !== item) continue; // cleared meanwhile
      this.#items.shift();
      this.#sizeBytes -= item.sizeBytes;
    }
    this.#runningUntilMs = undefined;
    this.#arm();
  }
}
