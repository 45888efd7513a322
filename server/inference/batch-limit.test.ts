import { describe, expect, it } from 'vitest';
import { BatchLimit } from './batch-limit.ts';

describe('BatchLimit', () => {
  it('halves down to one when memory runs out', () => {
    const limit = new BatchLimit(8);
    const sizes = Array.from({ length: 5 }, () => {
      limit.outOfMemory();
      return limit.current;
    });
    expect(sizes).toEqual([4, 2, 1, 1, 1]);
  });

  it('doubles after 20 good batches in a row, up to its maximum', () => {
    const limit = new BatchLimit(8);
    limit.outOfMemory();
    limit.outOfMemory();
    for (let batch = 0; batch < 19; batch++) limit.succeeded();
    expect(limit.current).toBe(2);
    limit.succeeded();
    expect(limit.current).toBe(4);
    for (let batch = 0; batch < 100; batch++) limit.succeeded();
    expect(limit.current).toBe(8);
  });

  it('counts anew after running out', () => {
    const limit = new BatchLimit(8);
    limit.outOfMemory();
    for (let batch = 0; batch < 19; batch++) limit.succeeded();
    limit.outOfMemory();
    limit.succeeded();
    expect(limit.current).toBe(2);
  });
});
