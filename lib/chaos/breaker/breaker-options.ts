import { isAbortError } from '../abort.ts';
import { type Clock, systemClock } from '../clock.ts';
import { type OriginOf, originByMark } from '../origin.ts';

/** The numbers that make one breaker different from another. */
export interface BreakerThresholds {
  /** Consecutive counted failures that open it, ≥ 1. */
  failureThreshold: number;
  /** OPEN to HALF_OPEN, ms, > 0. */
  recoveryTimeoutMs: number;
  /** Trials in flight at once in HALF_OPEN, ≥ 1. */
  halfOpenMaxCalls: number;
  /** Trial successes that close it, ≥ 1. May be above `halfOpenMaxCalls`. */
  successThreshold: number;
}

export interface BreakerOptions extends BreakerThresholds {
  /** Errors that count; others count neither way. @default all but aborts */
  isFailure: (error: unknown) => boolean;
  /** Splits the counted failures. @default by the mark of a fault in the error */
  originOf: OriginOf;
  /**
   * Also times the calls of the closed breaker, for the story of what opened it: a reading of the clock for each, since
   * nobody can know before a call that it will fail. Trials are always timed. @default false
   */
  timeCalls: boolean;
  /** @default systemClock */
  clock: Clock;
}

export const BREAKER_DEFAULTS: BreakerOptions = {
  failureThreshold: 5,
  recoveryTimeoutMs: 30_000,
  halfOpenMaxCalls: 3,
  successThreshold: 2,
  isFailure: (error) => !isAbortError(error),
  originOf: originByMark,
  timeCalls: false,
  clock: systemClock,
};

export type BreakerProfile = 'production' | 'game-day' | 'test';
export type BreakerName = 'yolo26' | 'nemotron' | 'database' | 'redis' | 'broadcaster';

const GAME_DAY: BreakerThresholds = {
  failureThreshold: 3,
  recoveryTimeoutMs: 8000,
  halfOpenMaxCalls: 2,
  successThreshold: 2,
};
const TEST: BreakerThresholds = { ...GAME_DAY, recoveryTimeoutMs: 1500 };
const AI: BreakerThresholds = {
  failureThreshold: 5,
  recoveryTimeoutMs: 30_000,
  halfOpenMaxCalls: 3,
  successThreshold: 2,
};
const STORE: BreakerThresholds = {
  failureThreshold: 10,
  recoveryTimeoutMs: 60_000,
  halfOpenMaxCalls: 5,
  successThreshold: 3,
};

/** The one place in which a service's breaker is configured. */
export const BREAKER_PROFILES: Readonly<
  Record<BreakerProfile, Readonly<Record<BreakerName, BreakerThresholds>>>
> = {
  production: {
    yolo26: AI,
    nemotron: AI,
    database: STORE,
    redis: STORE,
    broadcaster: { failureThreshold: 5, recoveryTimeoutMs: 30_000, halfOpenMaxCalls: 1, successThreshold: 1 },
  },
  'game-day': {
    yolo26: GAME_DAY,
    nemotron: GAME_DAY,
    database: GAME_DAY,
    redis: GAME_DAY,
    broadcaster: { ...GAME_DAY, halfOpenMaxCalls: 1, successThreshold: 1 },
  },
  test: {
    yolo26: TEST,
    nemotron: TEST,
    database: TEST,
    redis: TEST,
    broadcaster: { ...TEST, halfOpenMaxCalls: 1, successThreshold: 1 },
  },
};

/** @throws {RangeError} naming the option */
export function checkThresholds(thresholds: BreakerThresholds): void {
  for (const name of ['failureThreshold', 'halfOpenMaxCalls', 'successThreshold'] as const) {
    const value = thresholds[name];
    if (!(Number.isInteger(value) && value >= 1)) {
      throw new RangeError(`Expected ${name} to be a whole number from 1, got ${value}`);
    }
  }
  const { recoveryTimeoutMs } = thresholds;
  if (!(recoveryTimeoutMs > 0 && Number.isFinite(recoveryTimeoutMs))) {
    throw new RangeError(`Expected recoveryTimeoutMs to be above 0, got ${recoveryTimeoutMs}`);
  }
}
