import type { Random } from '../random.ts';

export interface BackoffOptions {
  /** Wait before the second attempt, ms, > 0. */
  baseMs: number;
  /** Growth from one wait to the next, ≥ 1. */
  factor: number;
  /** Longest wait before jitter, ms. */
  capMs: number;
  /** Up to this share is added by chance, 0–1. */
  jitterRatio: number;
}

export const BACKOFF_DEFAULTS: BackoffOptions = { baseMs: 1000, factor: 2, capMs: 30_000, jitterRatio: 0.25 };

/** For connections that are made again for as long as it takes: pub/sub, drains. */
export const RECONNECT_BACKOFF: BackoffOptions = { ...BACKOFF_DEFAULTS, baseMs: 100 };

/** Wait after the `attempt`-th failure (1 is the first), ms: `base × factor^(attempt − 1)`, capped, plus jitter. */
export function backoffMs(attempt: number, options: BackoffOptions, random: Random): number {
  const { baseMs, factor, capMs, jitterRatio } = options;
  return Math.min(capMs, baseMs * factor ** Math.max(0, attempt - 1)) * (1 + jitterRatio * random());
}
