import { describe, expect, it } from 'vitest';
import { smokeOf } from '#tests/bench/smoke.ts';

describe('npm run bench -- --smoke', () => {
  it('has every part measure, print and write', { timeout: 360_000 }, () => {
    const measured = smokeOf([]);
    const some = ['policies', 'proxy', 'pipeline', 'recorder', 'start', 'toggle', 'fanout', 'console'];
    expect(measured).toEqual(expect.arrayContaining(some));
  });
});
