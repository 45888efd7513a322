import { describe, expect, it } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import { Hub } from './hub.ts';

const DEPTH = { name: 'queue.depth', unit: 'items', help: 'Depth' };

function makeHub() {
  const clock = new ManualClock();
  const hub = new Hub(clock);
  hub.declare('pipeline', [DEPTH]);
  return { clock, hub };
}

describe('Hub', () => {
  it('shows a gap, not a zero, where a source was silent for 2 s or more', () => {
    const { clock, hub } = makeHub();
    const startAt = clock.now();
    for (let second = 0; second < 3; second++) {
      hub.frame('pipeline', [second], 0);
      clock.advance(1000);
    }
    clock.advance(3000);
    hub.frame('pipeline', [9], 0);
    expect(hub.series(DEPTH.name, startAt, 1000, 7)).toEqual([0, 1, 2, null, null, null, 9]);
  });

  it('holds a value over a jittering frame, but not over a value that is missing', () => {
    const { clock, hub } = makeHub();
    const startAt = clock.now();
    hub.frame('pipeline', [5], 0);
    clock.advance(750);
    hub.frame('pipeline', [null], 0);
    clock.advance(250);
    hub.frame('pipeline', [6], 0);
    expect(hub.series(DEPTH.name, startAt, 250, 5)).toEqual([5, 5, 5, null, 6]);
  });

  it('has no value for a source that has been silent for over 2 s', () => {
    const { clock, hub } = makeHub();
    hub.frame('pipeline', [5], 0);
    clock.advance(2000);
    expect(hub.values()).toEqual([5]);
    clock.advance(1);
    expect(hub.values()).toEqual([null]);
  });

  it('keeps 15 minutes and forgets what is older', () => {
    const { clock, hub } = makeHub();
    const startAt = clock.now();
    for (let count = 0; count < 20 * 60 * 4; count++) {
      hub.frame('pipeline', [count], 0);
      clock.advance(250);
    }
    const series = hub.series(DEPTH.name, startAt, 60_000, 20) ?? [];
    expect(series.slice(0, 5)).toEqual([null, null, null, null, null]);
    expect(series.slice(5)).toEqual(Array.from({ length: 15 }, (_, index) => (index + 6) * 240 - 1));
  });

  it('is not moved by a stepped wall clock', () => {
    const { clock, hub } = makeHub();
    hub.frame('pipeline', [5], 0);
    clock.stepWall(3_600_000);
    clock.advance(250);
    expect(hub.values()).toEqual([5]);
    expect(hub.series(DEPTH.name, clock.now() - 1000, 250, 4)).toContain(5);
  });

  it('gives reports with their age and grows its layout with new series', () => {
    const { clock, hub } = makeHub();
    const before = hub.layout;
    hub.declare('pipeline', [DEPTH]);
    expect(hub.layout).toBe(before);
    hub.declare('inference', [{ name: 'gpu.temperatureC', unit: '°C', help: 'Heat' }]);
    expect(hub.layout).toBe(before + 1);
    expect(hub.aged('proxy')).toBeNull();
    hub.report('proxy', { kind: 'proxy', report: { listeners: [] } });
    clock.advance(2500);
    expect(hub.aged('proxy')).toEqual({ listeners: [], ageMs: 2500 });
  });
});
