import { describe, expect, it } from 'vitest';
import type { BreakerStatus } from '#lib/protocol/state.ts';
import { countdown, nextStep } from './breaker-steps.ts';

const breaker: BreakerStatus = {
  name: 'redis',
  state: 'CLOSED',
  since: 1_000,
  failures: 2,
  failureThreshold: 3,
  trials: 0,
  halfOpenMaxCalls: 2,
  successes: 0,
  successThreshold: 2,
  retryAfterMs: null,
  calls: { succeeded: 0, failed: 0, rejected: 0, injected: 0, organic: 0 },
  transitions: 0,
  spentMs: { CLOSED: 0, OPEN: 0, HALF_OPEN: 0, FORCED_OPEN: 0 },
  lastError: null,
};
const open: BreakerStatus = { ...breaker, state: 'OPEN', failures: 3, retryAfterMs: 6_000 };

describe('countdown', () => {
  it('goes on between two reports, and ends at nothing', () => {
    // Opened at 1 000, 6 s left at 3 000: a wait of 8 s.
    expect(countdown(open, 3_000, 3_000)).toEqual({ leftMs: 6_000, leftShare: 0.75 });
    expect(countdown(open, 3_000, 5_000)).toEqual({ leftMs: 4_000, leftShare: 0.5 });
    expect(countdown(open, 3_000, 60_000)).toEqual({ leftMs: 0, leftShare: 0 });
  });

  it('is nothing for a breaker that waits for no time', () => {
    expect(countdown(breaker, 3_000, 3_000)).toBeNull();
    expect(countdown({ ...open, state: 'FORCED_OPEN' }, 3_000, 3_000)).toBeNull();
    expect(countdown({ ...open, retryAfterMs: null }, 3_000, 3_000)).toBeNull();
  });
});

describe('nextStep', () => {
  it('says what is counted in each state', () => {
    expect(nextStep(breaker, null)).toContain('2 of 3 failures');
    expect(nextStep(open, { leftMs: 4_200, leftShare: 0.5 })).toContain('a trial in 5 s');
    expect(nextStep(open, { leftMs: 0, leftShare: 0 })).toContain('a trial is due');
    const half: BreakerStatus = { ...breaker, state: 'HALF_OPEN', successes: 1, trials: 1 };
    expect(nextStep(half, null)).toContain('1 of 2 trials went well, 1 of 2 under way');
    expect(nextStep({ ...breaker, state: 'FORCED_OPEN' }, null)).toContain('by hand');
  });
});
