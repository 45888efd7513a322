import { expect, it } from 'vitest';
import { ageStatus, drainWords } from './queue-words.ts';

it('marks an age from 10 s and from 30 s', () => {
  expect([null, 9_999, 10_000, 29_999, 30_000].map(ageStatus)).toEqual([
    'normal',
    'normal',
    'degraded',
    'degraded',
    'open',
  ]);
});

it('estimates the drain, or says that there is none', () => {
  const at = (depth: number, inPerSecond: number, outPerSecond: number) =>
    drainWords({ depth, inPerSecond, outPerSecond });
  expect(at(0, 2, 0)).toBe('nothing waits');
  expect(at(30, 2, 5)).toBe('done in about 10 s');
  expect(at(30, 5, 2)).toBe('growing');
  expect(at(30, 2, 2)).toBe('steady');
});
