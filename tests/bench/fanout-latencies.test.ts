import { expect, it } from 'vitest';
import { Latencies } from './fanout-latencies.ts';

it('adds up the counts of several processes and gives their percentiles', () => {
  const here = new Latencies();
  const there = new Latencies();
  for (let ms = 1; ms <= 50; ms++) here.add(ms + 0.2);
  for (let ms = 51; ms <= 99; ms++) there.add(ms);
  there.add(1_000_000);
  here.addCounts(there.counts());
  expect([here.count, here.percentile(0.5), here.percentile(0.99), here.percentile(1)]).toEqual([
    100, 50, 99, 10_000,
  ]);
  expect(new Latencies().percentile(0.99)).toBe(0);
});
