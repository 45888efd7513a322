import { describe, expect, it } from 'vitest';
import { SeriesRing } from './series-ring.ts';

const makeRing = () => new SeriesRing({ stepMs: 500, capacity: 8 });

describe('SeriesRing', () => {
  it('keeps cells that were passed over as gaps', () => {
    const ring = makeRing();
    ring.write('a', 1_000, 5);
    ring.write('a', 2_500, 7);
    expect(ring.at('a', 1_200)).toBe(5);
    expect(ring.at('a', 1_500)).toBeNaN();
    expect(ring.at('a', 2_999)).toBe(7);
  });

  it('forgets what is older than its capacity and does not show it again after wrapping', () => {
    const ring = makeRing();
    ring.write('a', 0, 1);
    ring.write('a', 500, 2);
    ring.write('b', 4_000, 9);
    expect(ring.at('a', 0)).toBeNaN();
    expect(ring.at('a', 4_000)).toBeNaN();
    expect(ring.at('a', 500)).toBe(2);
  });

  it('takes null as a gap, not as zero', () => {
    const ring = makeRing();
    ring.write('a', 1_000, null);
    expect(ring.at('a', 1_000)).toBeNaN();
  });

  it('fills from history without touching live samples', () => {
    const ring = makeRing();
    ring.write('a', 3_000, 42);
    ring.backfill('a', 1_000, 1_000, [1, null, 3]);
    expect([1_000, 1_500, 2_000, 3_000].map((at) => ring.at('a', at))).toEqual([1, 1, Number.NaN, 42]);
    expect(ring.at('a', 3_500)).toBe(3);
  });

  it('refuses options that cannot work', () => {
    expect(() => new SeriesRing({ stepMs: 0 })).toThrow(RangeError);
    expect(() => new SeriesRing({ capacity: 1.5 })).toThrow(RangeError);
  });
});
