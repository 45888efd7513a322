import { describe, expect, it, vi } from 'vitest';
import { ManualClock, sleep, systemClock } from './clock.ts';

describe('ManualClock', () => {
  it('runs timers in order of their time, then of creation, each at its own time', () => {
    const clock = new ManualClock(1000);
    const seen: [string, number][] = [];
    const note = (name: string) => () => seen.push([name, clock.monotonicMs()]);
    clock.after(20, note('late'));
    clock.after(10, note('first'));
    clock.after(10, note('second'));
    clock.advance(15);
    expect(seen).toEqual([
      ['first', 10],
      ['second', 10],
    ]);
    clock.advance(5);
    expect(seen.at(-1)).toEqual(['late', 20]);
    expect(clock.now()).toBe(1020);
  });

  it('runs a timer that a timer made, when it falls into the same advance', () => {
    const clock = new ManualClock();
    const seen: number[] = [];
    clock.after(10, () => clock.after(10, () => seen.push(clock.monotonicMs())));
    clock.advance(30);
    expect(seen).toEqual([20]);
  });

  it('runs no cancelled timer', () => {
    const clock = new ManualClock();
    const callback = vi.fn();
    const timer = clock.after(10, callback);
    timer.cancel();
    timer.cancel();
    clock.advance(100);
    expect(callback).not.toHaveBeenCalled();
  });

  it('steps the wall without moving time', () => {
    const clock = new ManualClock(5000);
    const callback = vi.fn();
    clock.after(10, callback);
    clock.stepWall(-4000);
    expect([clock.now(), clock.monotonicMs()]).toEqual([1000, 0]);
    expect(callback).not.toHaveBeenCalled();
  });
});

describe('systemClock', () => {
  it('waits as long as asked and can be cancelled', async () => {
    const startedMs = systemClock.monotonicMs();
    const cancelled = vi.fn();
    systemClock.after(1, cancelled).cancel();
    await new Promise<void>((resolve) => systemClock.after(50, resolve));
    expect(systemClock.monotonicMs() - startedMs).toBeGreaterThan(45); // timers count from the loop's last turn
    expect(cancelled).not.toHaveBeenCalled();
  });

  it("does not fire at once for a wait beyond Node's longest timer", () => {
    vi.useFakeTimers();
    try {
      const callback = vi.fn();
      const timer = systemClock.after(2 ** 31 + 5000, callback);
      vi.advanceTimersByTime(2 ** 31 - 1);
      expect(callback).not.toHaveBeenCalled();
      vi.advanceTimersByTime(5001);
      expect(callback).toHaveBeenCalledTimes(1);
      timer.cancel();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('sleep', () => {
  it('resolves after its time', async () => {
    const clock = new ManualClock();
    const done = vi.fn();
    const sleeping = sleep(clock, 50).then(done);
    clock.advance(49);
    await Promise.resolve();
    expect(done).not.toHaveBeenCalled();
    clock.advance(1);
    await sleeping;
    expect(done).toHaveBeenCalled();
  });

  it('rejects with the reason of its signal, before or while it waits', async () => {
    const clock = new ManualClock();
    const reason = new Error('enough');
    await expect(sleep(clock, 50, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const sleeping = sleep(clock, 50, controller.signal);
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
  });
});
