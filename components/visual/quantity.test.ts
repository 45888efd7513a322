import { describe, expect, it } from 'vitest';
import { clockDuration, compact, count, percent, spokenDuration } from './quantity.ts';

describe('quantities', () => {
  it('writes durations as a clock', () => {
    expect([0, 42_900, 725_000, 3_725_000, -5].map(clockDuration)).toEqual([
      '0:00',
      '0:42',
      '12:05',
      '1:02:05',
      '0:00',
    ]);
  });

  it('writes durations in words', () => {
    expect([340, 2_400, 48_200, 60_000, 185_000, 3_725_000].map(spokenDuration)).toEqual([
      '340 ms',
      '2.4 s',
      '48 s',
      '1 min',
      '3 min 5 s',
      '1 h 2 min',
    ]);
  });

  it('keeps numbers short and sets thousands apart', () => {
    expect([0.244, 3.14, 118.2, 24_564, 240_000].map(compact)).toEqual([
      '0.24',
      '3.1',
      '118',
      '24.6k',
      '240k',
    ]);
    expect(count(12_408)).toBe('12\u202f408');
    expect([0, 0.004, 0.5].map(percent)).toEqual(['0 %', '0.4 %', '50 %']);
  });
});
