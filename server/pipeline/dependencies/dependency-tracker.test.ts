import { describe, expect, it } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import type { ActiveFault } from '#lib/protocol/events.ts';
import { DependencyTracker } from './dependency-tracker.ts';

function makeTracker(faults: ActiveFault[] = []) {
  const clock = new ManualClock();
  const tracker = new DependencyTracker({ clock, activeFaults: () => faults, recentMs: 16_000 });
  const statusOf = (name: string) => tracker.status().find((each) => each.name === name);
  return { clock, tracker, statusOf };
}

describe('DependencyTracker', () => {
  it('counts calls, failures by origin and percentiles of the last 10 s', () => {
    const faults: ActiveFault[] = [{ id: 'f', service: 'redis', type: 'timeout', params: {} }];
    const { clock, tracker, statusOf } = makeTracker(faults);
    for (let ms = 1; ms <= 100; ms++) tracker.record('redis', ms);
    tracker.record('redis', 1000, new Error('Command timed out'));
    tracker.record('redis', 1, Object.assign(new Error('no'), { code: 'ECONNREFUSED' }));
    expect(statusOf('redis')).toMatchObject({
      callsPerSecond: 10.2,
      injected: 1,
      organic: 1,
      p50Ms: 50,
      p99Ms: 100,
    });
    expect(statusOf('redis')?.errorRatio).toBeCloseTo(2 / 102);
    expect(tracker.totals()).toMatchObject({ injectedPerSecond: 0.1, organicPerSecond: 0.1 });
    clock.advance(10_001);
    expect(statusOf('redis')).toMatchObject({ callsPerSecond: 0, errorRatio: 0, p50Ms: null });
  });

  it('hands results and errors on, timed', async () => {
    const { clock, tracker, statusOf } = makeTracker();
    const call = async () => {
      clock.advance(40);
      return 'answer';
    };
    expect(await tracker.track('database', call)).toBe('answer');
    const failure = new Error('boom');
    await expect(tracker.track('database', () => Promise.reject(failure))).rejects.toBe(failure);
    expect(statusOf('database')).toMatchObject({ callsPerSecond: 0.2, organic: 1, p95Ms: 40 });
  });

  it('takes neither a rejection by a breaker nor an abort for a call', () => {
    const { tracker, statusOf } = makeTracker();
    tracker.record('yolo26', 0, Object.assign(new Error('open'), { code: 'BREAKER_OPEN' }));
    tracker.record('yolo26', 0, Object.assign(new Error('gone'), { name: 'AbortError' }));
    expect(statusOf('yolo26')).toMatchObject({ callsPerSecond: 0, injected: 0, organic: 0 });
  });
});
