import type { Clock } from '#lib/chaos/clock.ts';

const SLOTS = 10;

/** Things per second over the last ten seconds. */
export class RateMeter {
  readonly #clock: Clock;
  readonly #counts = new Array<number>(SLOTS).fill(0);
  #slot: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#slot = this.#now();
  }

  count(amount = 1): void {
    this.#advance();
    const index = this.#slot % SLOTS;
    this.#counts[index] = (this.#counts[index] ?? 0) + amount;
  }

  perSecond(): number {
    this.#advance();
    return this.#counts.reduce((sum, count) => sum + count, 0) / SLOTS;
  }

  #now(): number {
    return Math.floor(this.#clock.monotonicMs() / 1000);
  }

  /** Empties the seconds that have passed since the last look. */
  #advance(): void {
    const now = this.#now();
    for (let slot = Math.max(this.#slot + 1, now - SLOTS + 1); slot <= now; slot++)
      this.#counts[slot % SLOTS] = 0;
    this.#slot = now;
  }
}
