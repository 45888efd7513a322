import { describe, expect, it } from 'vitest';
import { chooseShots, SHOWN, VIEWS } from './shots.ts';

const names = (...words: string[]) => chooseShots(words).map(({ name }) => name);

describe('chooseShots', () => {
  it('has every page in the five states, wide and on a phone, in both themes, and each name once', () => {
    const all = names();
    expect(new Set(all).size).toBe(all.length);
    for (const state of ['normal', 'faults', 'stale', 'halted', 'down']) {
      for (const page of ['console', 'dlq', 'gpu', 'nemotron', 'timeline', 'wall', 'halt']) {
        for (const view of page === 'wall' ? Object.keys(VIEWS) : ['wide', 'phone']) {
          for (const theme of ['dark', 'light']) expect(all).toContain(`${state}-${page}-${view}-${theme}`);
        }
      }
    }
  });

  it('has what the docs show', () => {
    expect(names()).toEqual(expect.arrayContaining(Object.keys(SHOWN)));
  });

  it('widens by words of one kind, narrows by words of two', () => {
    expect(names('faults', 'stale', 'wall', 'phone', 'dark')).toEqual([
      'faults-wall-phone-dark',
      'stale-wall-phone-dark',
    ]);
  });

  it('takes whole names and those of the docs', () => {
    expect(names('breaker', 'halted-halt-phone-light')).toEqual([
      'one-fault-xray-wide-dark',
      'halted-halt-phone-light',
    ]);
  });

  it('refuses a word that fits nothing', () => {
    expect(() => chooseShots(['walls'])).toThrow(RangeError);
  });
});
