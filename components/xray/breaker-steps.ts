import type { BreakerStatus } from '#lib/protocol/state.ts';

export interface Countdown {
  /** Until a trial is let through, ms; 0 when it is due. */
  leftMs: number;
  /** Of the whole wait, 0–1. */
  leftShare: number;
}

/**
 * The wait of an OPEN breaker at `nowAt`, from a report made at `reportedAt` (both on the server's clock); null when it
 * does not wait for a time.
 */
export function countdown(
  { state, since, retryAfterMs }: Pick<BreakerStatus, 'state' | 'since' | 'retryAfterMs'>,
  reportedAt: number,
  nowAt: number,
): Countdown | null {
  if (state !== 'OPEN' || retryAfterMs === null) return null;
  const dueAt = reportedAt + retryAfterMs;
  const wholeMs = Math.max(1, dueAt - since);
  const leftMs = Math.max(0, dueAt - nowAt);
  return { leftMs, leftShare: Math.min(1, leftMs / wholeMs) };
}

/** What moves it next, in one sentence. */
export function nextStep(breaker: BreakerStatus, wait: Countdown | null): string {
  switch (breaker.state) {
    case 'CLOSED':
      return `${breaker.failures} of ${breaker.failureThreshold} failures in a row; the last one opens it.`;
    case 'OPEN':
      if (!wait) return 'Calls are rejected at once.';
      return wait.leftMs > 0
        ? `Calls are rejected at once; a trial in ${Math.ceil(wait.leftMs / 1000)} s.`
        : 'Calls are rejected at once; a trial is due with the next call.';
    case 'HALF_OPEN':
      return `${breaker.successes} of ${breaker.successThreshold} trials went well, ${breaker.trials} of ${breaker.halfOpenMaxCalls} under way; one failure opens it again.`;
    case 'FORCED_OPEN':
      return 'Held open by hand: no trial is made until somebody closes or resets it.';
  }
}
