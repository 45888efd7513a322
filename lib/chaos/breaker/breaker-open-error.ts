import { ChaosError } from '../errors.ts';

/** A call that was not made, because the breaker in front of it is open. Not a failure of the service. */
export class BreakerOpenError extends ChaosError {
  readonly breaker: string;
  /**
   * When it is worth trying again, ms. OPEN: until trials are let through. Trial slots taken, or held open by hand:
   * nobody can know, so it is the recovery time-out.
   */
  readonly retryAfterMs: number;

  constructor(breaker: string, retryAfterMs: number) {
    super('BREAKER_OPEN', `Breaker ${breaker} is open, try again in ${Math.ceil(retryAfterMs)} ms`);
    this.breaker = breaker;
    this.retryAfterMs = retryAfterMs;
  }
}
