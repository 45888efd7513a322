import { isAbortError } from '../abort.ts';
import { type Clock, sleep, systemClock } from '../clock.ts';
import type { Random } from '../random.ts';
import { BACKOFF_DEFAULTS, type BackoffOptions, backoffMs } from './backoff.ts';
import type { RetryBudget } from './retry-budget.ts';

export interface RetryOptions extends BackoffOptions {
  /** In total, the first included, ≥ 1. @default 3 */
  attempts: number;
  /** @default isRetryableError */
  isRetryable: (error: unknown) => boolean;
  /** Source of jitter. @default Math.random */
  random: Random;
  /** @default systemClock */
  clock: Clock;
  /** Ends the waits; also given to the operation. */
  signal?: AbortSignal | undefined;
  /** Shared with others. Without it every retry is allowed. */
  budget?: RetryBudget | undefined;
  /** Told before each wait. */
  onRetry?: ((retry: { attempt: number; delayMs: number; error: unknown }) => void) | undefined;
}

export const RETRY_DEFAULTS: RetryOptions = {
  ...BACKOFF_DEFAULTS,
  attempts: 3,
  isRetryable: isRetryableError,
  random: Math.random,
  clock: systemClock,
};

/**
 * False for what will fail the same way again: HTTP 4xx (408 and 429 excepted), bad input, a mistake in the program,
 * an open breaker, an abort.
 */
export function isRetryableError(error: unknown): boolean {
  if (isAbortError(error)) return false;
  if (error instanceof RangeError || error instanceof SyntaxError) return false;
  // fetch tells every broken connection as a TypeError with a cause; one without cause is ours.
  if (error instanceof TypeError) return error.cause !== undefined;
  if (typeof error !== 'object' || error === null) return true;
  const { code, status, name } = error as { code?: unknown; status?: unknown; name?: unknown };
  if (code === 'BREAKER_OPEN' || code === 'INVALID_FAULT' || name === 'ZodError') return false;
  if (typeof status !== 'number') return true;
  return !(status >= 400 && status < 500) || status === 408 || status === 429;
}

/**
 * Runs `operation` until it succeeds, fails for good, or has used its attempts.
 *
 * `attempt` starts at 1. A `retryAfterMs` on the error (a 429) lengthens the wait, up to `capMs`.
 * @throws the operation's last error, also when the budget allows no further attempt
 * @throws the signal's reason when it aborts before an attempt or in a wait
 */
export async function retry<T>(
  operation: (attempt: number, signal?: AbortSignal) => Promise<T>,
  options: Partial<RetryOptions> = {},
): Promise<T> {
  const settings = { ...RETRY_DEFAULTS, ...options };
  const { attempts, isRetryable, random, clock, signal, budget, onRetry } = settings;
  if (!(Number.isInteger(attempts) && attempts >= 1)) {
    throw new RangeError(`Expected attempts to be a whole number from 1, got ${attempts}`);
  }
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await operation(attempt, signal);
    } catch (error) {
      if (attempt >= attempts || signal?.aborted || !isRetryable(error)) throw error;
      if (budget && !budget.take()) throw error;
      const delayMs = Math.max(backoffMs(attempt, settings, random), askedMs(error, settings.capMs));
      onRetry?.({ attempt, delayMs, error });
      await sleep(clock, delayMs, signal);
    }
  }
}

/** How long the service itself asked us to wait, ms. */
function askedMs(error: unknown, capMs: number): number {
  const asked =
    typeof error === 'object' && error !== null && 'retryAfterMs' in error ? error.retryAfterMs : 0;
  return typeof asked === 'number' && asked > 0 ? Math.min(asked, capMs) : 0;
}
