import { describe, expect, it } from 'vitest';
import { SeriesRing } from '../live/series-ring.ts';
import {
  areaPath,
  bucketMs,
  type ChartSeries,
  domainMax,
  linePath,
  newest,
  POINTS_MAX,
  snapUp,
  thin,
} from './chart-series.ts';

function makeRing(values: Record<number, number>, metric = 'm'): SeriesRing {
  const ring = new SeriesRing();
  for (const [at, value] of Object.entries(values)) ring.write(metric, Number(at), value);
  return ring;
}
const series = (reduce: ChartSeries['reduce']): ChartSeries[] => [{ key: 'a', metric: 'm', reduce }];

describe('thin', () => {
  it('draws at most 150 points for every window', () => {
    const ring = makeRing({ 3600000: 1 });
    for (const windowMs of [60_000, 300_000, 900_000, 3_600_000]) {
      expect(thin(ring, series('max'), 3_600_000, windowMs).length).toBeLessThanOrEqual(POINTS_MAX + 1);
    }
  });

  it('keeps the bucket borders while the window moves', () => {
    const ring = makeRing({ 600000: 1 });
    const one = thin(ring, series('max'), 600_000, 300_000).map((point) => point.t);
    const two = thin(ring, series('max'), 600_500, 300_000).map((point) => point.t);
    expect(two.slice(0, 10)).toEqual(one.filter((t) => t >= (two[0] ?? 0)).slice(0, 10));
  });

  it('reduces a bucket by its rule and leaves an empty one a gap', () => {
    const values = { 298000: 2, 298500: 8, 299000: 5 };
    const ring = makeRing(values);
    const at = (reduce: ChartSeries['reduce']) =>
      thin(ring, series(reduce), 300_000, 300_000).find((point) => point.t === 298_000)?.['a'];
    expect([at('max'), at('mean'), at('last')]).toEqual([8, 5, 5]);
    expect(
      thin(ring, series('max'), 300_000, 300_000).find((point) => point.t === 290_000)?.['a'],
    ).toBeNull();
  });

  it('applies the factor', () => {
    const ring = makeRing({ 60000: 1_500 });
    const points = thin(ring, [{ key: 'a', metric: 'm', reduce: 'max', factor: 0.001 }], 60_000, 60_000);
    expect(points.at(-1)?.['a']).toBe(1.5);
  });
});

describe('bucketMs', () => {
  it('is a multiple of the step', () => {
    expect(bucketMs(60_000, 500)).toBe(500);
    expect(bucketMs(300_000, 500)).toBe(2_000);
    expect(bucketMs(3_600_000, 500)).toBe(24_000);
  });
});

describe('snapUp', () => {
  it('goes to the next of 1, 2, 5', () => {
    expect([0, 0.3, 1, 1.01, 4, 6, 10, 730, 20_000].map(snapUp)).toEqual([
      1, 0.5, 1, 2, 5, 10, 10, 1_000, 20_000,
    ]);
  });
});

describe('domainMax', () => {
  it('adds stacked values up and ignores gaps', () => {
    const points = [
      { t: 0, a: 3, b: 4 },
      { t: 1, a: null, b: 6 },
    ];
    expect(domainMax(points, ['a', 'b'], true, 1)).toBe(10);
    expect(domainMax(points, ['a', 'b'], false, 1)).toBe(10);
    expect(domainMax([{ t: 0, a: 3, b: 4 }], ['a', 'b'], false, 1)).toBe(5);
  });
});

describe('newest', () => {
  it('does not give an old value for a new one', () => {
    const ring = makeRing({ 10000: 4, 20000: 5 });
    expect(newest(ring, 'm', 11_500)).toBe(4);
    expect(newest(ring, 'm', 15_000)).toBeNull();
  });
});

describe('areaPath', () => {
  const same = (value: number) => value;

  it('goes along the top and back along the floor, and begins anew after a gap', () => {
    const points = [
      { t: 0, a: 1 },
      { t: 1, a: 2 },
      { t: 2, a: null },
      { t: 3, a: 4 },
    ];
    expect(areaPath(points, 'a', new Map(), same, same)).toBe(
      'M0.0 1.0L1.0 2.0L1.0 0.0L0.0 0.0ZM3.0 4.0L3.0 0.0Z',
    );
  });

  it('stands on what is below it, and raises it', () => {
    const bases = new Map([[0, 5]]);
    expect(areaPath([{ t: 0, a: 1 }], 'a', bases, same, same)).toBe('M0.0 6.0L0.0 5.0Z');
    expect(bases.get(0)).toBe(6);
  });
});

describe('linePath', () => {
  it('starts a new stretch after a gap', () => {
    const points = [
      { t: 0, a: 1 },
      { t: 1, a: 2 },
      { t: 2, a: null },
      { t: 3, a: 4 },
    ];
    expect(
      linePath(
        points,
        'a',
        (t) => t,
        (value) => value,
      ),
    ).toBe('M0.0 1.0L1.0 2.0M3.0 4.0');
  });
});
