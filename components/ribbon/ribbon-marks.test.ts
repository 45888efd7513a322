import { describe, expect, it } from 'vitest';
import type { Fact } from '#lib/protocol/facts.ts';
import { axisTicks, marksOf } from './ribbon-marks.ts';

const note = (at: number, begunAt?: number): Fact => ({
  seq: at,
  at,
  type: 'note',
  subject: 'Ana',
  data: { by: 'Ana', text: 'seen', ...(begunAt === undefined ? {} : { begunAt }) },
});

describe('marksOf', () => {
  it('puts a note where its writing was begun, also when it was sent after the window', () => {
    const marks = marksOf([note(500), note(1_100, 900), note(1_200)], 0, 1_000, (at) => at / 10);
    expect(marks.map(({ x, kind }) => [x, kind])).toEqual([
      [50, 'note'],
      [90, 'note'],
    ]);
    expect(marks[1]?.texts[0]).toMatch(/Ana: seen$/);
  });
});

describe('axisTicks', () => {
  it('gives at most five round moments for every window, clear of its ends', () => {
    for (const windowMs of [60_000, 300_000, 900_000, 3_600_000]) {
      const ticks = axisTicks(1_000_000, 1_000_000 + windowMs);
      expect(ticks.length).toBeGreaterThanOrEqual(3);
      expect(ticks.length).toBeLessThanOrEqual(5);
      expect(ticks.every((at) => at % 15_000 === 0)).toBe(true);
      expect((ticks[0] ?? 0) - 1_000_000).toBeGreaterThan(windowMs * 0.03);
    }
  });
});
