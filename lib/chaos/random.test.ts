import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom, drawFor } from './random.ts';

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });

describe('drawFor', () => {
  it('is a pure function with values in [0, 1)', () => {
    fc.assert(
      fc.property(uint32, fc.string(), fc.string(), fc.nat(), (seed, type, service, n) => {
        const draw = drawFor(seed, type, service, n);
        expect(draw).toBe(drawFor(seed, type, service, n));
        expect(draw).toBeGreaterThanOrEqual(0);
        expect(draw).toBeLessThan(1);
      }),
    );
  });

  it('stays the same over releases, so that a seed in a report can be replayed', () => {
    const draws = [0, 1, 2].map((n) => Math.floor(drawFor(42, 'latency', 'redis', n) * 1e6));
    expect(draws).toMatchInlineSnapshot(`
      [
        257617,
        54410,
        741636,
      ]
    `);
  });

  it.each([0.05, 0.2, 0.5, 0.9])('hits about a share of %s for any seed', (ratio) => {
    for (const seed of [0, 1, 2, 12_345, 0xffff_ffff]) {
      const hits = Array.from({ length: 4000 }, (_, n) => drawFor(seed, 'intermittent', 'yolo26', n)).filter(
        (draw) => draw < ratio,
      ).length;
      expect(Math.abs(hits / 4000 - ratio)).toBeLessThan(0.04);
    }
  });

  it('differs between services, types, seeds and calls', () => {
    const draws = [
      drawFor(1, 'latency', 'redis', 0),
      drawFor(1, 'latency', 'redis', 1),
      drawFor(2, 'latency', 'redis', 0),
      drawFor(1, 'timeout', 'redis', 0),
      drawFor(1, 'latency', 'database', 0),
    ];
    expect(new Set(draws).size).toBe(draws.length);
  });
});

describe('createRandom', () => {
  it('repeats a stream from its seed, evenly spread', () => {
    const stream = (seed: number) => {
      const random = createRandom(seed);
      return Array.from({ length: 2000 }, () => random());
    };
    expect(stream(9)).toEqual(stream(9));
    expect(stream(9)).not.toEqual(stream(10));
    const mean = stream(9).reduce((sum, value) => sum + value, 0) / 2000;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
  });
});
