import { describe, expect, it } from 'vitest';
import { CLOCK_EVENT_WINDOW_MS, ClockEventLog } from './clock-event-log.ts';
import { CLOCK_EVENTS } from './clock-events.ts';

const { softwareThermal, hardwareSlowdown, hardwareThermal, idle } = CLOCK_EVENTS;

/** Writes bits that hold from one moment to another, in slices as the device does. */
function hold(log: ClockEventLog, bits: number, fromMs: number, toMs: number): void {
  for (let atMs = fromMs; atMs < toMs; atMs += 200) log.add(bits, atMs + 200, 200);
}

describe('ClockEventLog', () => {
  it('adds up how long each reason held, and how long any heat did', () => {
    const log = new ClockEventLog();
    hold(log, idle, 0, 10_000);
    hold(log, softwareThermal, 10_000, 13_000);
    hold(log, softwareThermal | hardwareSlowdown | hardwareThermal, 13_000, 14_000);
    const times = log.times(14_000);
    expect(times).toMatchObject({ windowMs: 300_000, observedMs: 14_000, throttledMs: 4000 });
    expect(Object.fromEntries(times.heldMs)).toEqual({
      [idle]: 10_000,
      [softwareThermal]: 4000,
      [hardwareSlowdown]: 1000,
      [hardwareThermal]: 1000,
      [CLOCK_EVENTS.softwarePowerCap]: 0,
    });
  });

  it('forgets what is older than the window, second by second, also when nothing is written any more', () => {
    const log = new ClockEventLog();
    hold(log, softwareThermal, 0, 5000);
    hold(log, 0, 5000, CLOCK_EVENT_WINDOW_MS);
    expect(log.times(CLOCK_EVENT_WINDOW_MS).throttledMs).toBe(5000);
    expect(log.times(CLOCK_EVENT_WINDOW_MS + 2000).throttledMs).toBe(3000);
    expect(log.times(CLOCK_EVENT_WINDOW_MS + 5000)).toMatchObject({ throttledMs: 0, observedMs: 295_000 });
    expect(log.times(2 * CLOCK_EVENT_WINDOW_MS)).toMatchObject({ observedMs: 0 });
  });

  it('knows of nothing before the first look', () => {
    expect(new ClockEventLog().times(1_000_000)).toMatchObject({ observedMs: 0, throttledMs: 0 });
  });
});
