import { type Clock, systemClock } from '../clock.ts';

export interface RetryBudgetOptions {
  /** Tokens that come back, per second, > 0. @default 5 */
  ratePerSecond: number;
  /** Tokens at most, ≥ 1. @default 5 */
  burst: number;
  /** @default systemClock */
  clock: Clock;
}

export const RETRY_BUDGET_DEFAULTS: RetryBudgetOptions = { ratePerSecond: 5, burst: 5, clock: systemClock };

/** A token bucket that callers share, so that a storm of time-outs does not become a storm of retries. */
export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  #tokens: number;
  #filledMs: number;
  #refused = 0;

  constructor(options: Partial<RetryBudgetOptions> = {}) {
    this.#options = { ...RETRY_BUDGET_DEFAULTS, ...options };
    const { ratePerSecond, burst, clock } = this.#options;
    if (!(ratePerSecond > 0))
      throw new RangeError(`Expected ratePerSecond to be above 0, got ${ratePerSecond}`);
    if (!(burst >= 1)) throw new RangeError(`Expected burst to be at least 1, got ${burst}`);
    this.#tokens = burst;
    this.#filledMs = clock.monotonicMs();
  }

  /** Retries that were refused so far. */
  get refused(): number {
    return this.#refused;
  }

  /** Takes one token; false when there is none. */
  take(): boolean {
    const { ratePerSecond, burst, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#filledMs) * ratePerSecond) / 1000);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) {
      this.#refused++;
      return false;
    }
    this.#tokens--;
    return true;
  }
}
