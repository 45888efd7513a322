import { describe, expect, it } from 'vitest';
import { clampEnd, endAround, KEPT_MS, momentPath, readMoment } from './moments.ts';

const NOW = Date.UTC(2026, 10, 22, 14, 0, 0);
const read = (text: string) => readMoment(new URLSearchParams(text), NOW);

describe('readMoment', () => {
  it('takes what momentPath writes', () => {
    const at = NOW - 123_456;
    const path = momentPath(at, 900_000, 42);
    expect(path).toBe('/timeline?at=2026-11-22T13%3A57%3A56.544Z&window=15&fact=42');
    expect(read(path.split('?')[1] ?? '')).toEqual({ at, windowMs: 900_000, seq: 42, problem: null });
  });

  it('takes epoch milliseconds, and nothing at all', () => {
    expect(read(`at=${NOW - 5}`)).toMatchObject({ at: NOW - 5, windowMs: null, problem: null });
    expect(read('')).toEqual({ at: null, windowMs: null, seq: null, problem: null });
  });

  it('names what makes no sense and keeps the rest', () => {
    const { at, windowMs, seq, problem } = read(`at=noon&window=7&fact=x`);
    expect([at, windowMs, seq]).toEqual([null, null, null]);
    expect(problem).toMatch(/at=noon is no moment.*window=7 is none of 1, 5, 15, 60.*fact=x/);
    expect(read(`at=${NOW + 60_000}&window=5`)).toMatchObject({ at: null, windowMs: 300_000 });
    expect(read(`at=${NOW + 60_000}`).problem).toContain('future');
  });
});

describe('the end of a window', () => {
  it('leaves a moment in the middle until that would be in the future', () => {
    expect(endAround(NOW - 600_000, 300_000, NOW)).toBe(NOW - 450_000);
    expect(endAround(NOW - 60_000, 300_000, NOW)).toBeNull();
  });

  it('stays within what is kept; at the present it is live', () => {
    expect(clampEnd(NOW - 500, 60_000, NOW)).toBeNull();
    expect(clampEnd(NOW + 5_000, 60_000, NOW)).toBeNull();
    expect(clampEnd(NOW - 5_000, 60_000, NOW)).toBe(NOW - 5_000);
    expect(clampEnd(0, 60_000, NOW)).toBe(NOW - KEPT_MS + 60_000);
  });
});
