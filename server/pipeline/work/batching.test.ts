import { describe, expect, it } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import { batchIdOf } from './batch-id.ts';
import { BatchSize } from './batch-size.ts';
import { type ClosedBatch, EventBatcher } from './event-batcher.ts';
import { FrameBatcher } from './frame-batcher.ts';

describe('FrameBatcher', () => {
  function makeBatcher(maxSize = 3) {
    const clock = new ManualClock();
    const calls: number[][] = [];
    const batcher = new FrameBatcher<number, number>({
      clock,
      maxSize: () => maxSize,
      run: async (items) => {
        calls.push([...items]);
        if (items.includes(13)) throw new Error('unlucky');
        return items.map((item) => item * 2);
      },
    });
    return { clock, calls, batcher };
  }

  it('waits 200 ms for company, then gives each item its own result', async () => {
    const { clock, calls, batcher } = makeBatcher();
    const results = Promise.all([batcher.add(1), batcher.add(2)]);
    clock.advance(199);
    expect(calls).toEqual([]);
    clock.advance(1);
    expect(await results).toEqual([2, 4]);
    expect(calls).toEqual([[1, 2]]);
  });

  it('does not wait once the batch is full', async () => {
    const { calls, batcher } = makeBatcher();
    expect(await Promise.all([1, 2, 3].map((item) => batcher.add(item)))).toEqual([2, 4, 6]);
    expect(calls).toEqual([[1, 2, 3]]);
  });

  it('fails the items of a failed call and no others', async () => {
    const { clock, batcher } = makeBatcher(2);
    const results = Promise.allSettled([batcher.add(13), batcher.add(1), batcher.add(5)]);
    clock.advance(200);
    expect((await results).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
  });
});

describe('BatchSize', () => {
  it('halves with each out of memory down to one and doubles after 20 good batches', () => {
    const size = new BatchSize();
    const seen = [1, 2, 3, 4].map(() => {
      size.outOfMemory();
      return size.current;
    });
    expect(seen).toEqual([4, 2, 1, 1]);
    for (let batch = 0; batch < 19; batch++) size.succeeded();
    expect(size.current).toBe(1);
    size.succeeded();
    expect(size.current).toBe(2);
    for (let batch = 0; batch < 40; batch++) size.succeeded();
    expect(size.current).toBe(8);
  });

  it('goes down to what the detector says, never up and never below one', () => {
    const size = new BatchSize();
    for (let batch = 0; batch < 19; batch++) size.succeeded();
    size.limitTo(3);
    size.limitTo(6);
    expect(size.current).toBe(3);
    size.succeeded();
    expect(size.current, 'counted from the limit on').toBe(3);
    size.limitTo(0);
    expect(size.current).toBe(1);
  });
});

describe('EventBatcher', () => {
  function makeBatcher() {
    const clock = new ManualClock();
    const closed: ClosedBatch[] = [];
    const batcher = new EventBatcher({
      clock,
      windowMs: 6000,
      idleMs: 2000,
      maxDetections: 20,
      onClosed: (batch) => closed.push(batch),
    });
    const add = (uploadId: string, detections = 1, camera = 'cam-01') =>
      batcher.add({ uploadId, camera, detections, traceId: `trace-${uploadId}` });
    return { clock, closed, batcher, add };
  }

  it('closes after 2 s of silence', () => {
    const { clock, closed, add } = makeBatcher();
    add('a');
    clock.advance(1500);
    add('b');
    clock.advance(1999);
    expect(closed).toEqual([]);
    clock.advance(1);
    expect(closed).toEqual([{ camera: 'cam-01', uploadIds: ['a', 'b'], traceId: 'trace-a' }]);
  });

  it('closes after 6 s however busy the camera is', () => {
    const { clock, closed, add } = makeBatcher();
    for (let second = 0; second < 7; second++) {
      add(`u${second}`, 0);
      clock.advance(1000);
    }
    expect(closed.map(({ uploadIds }) => uploadIds)).toEqual([['u0', 'u1', 'u2', 'u3', 'u4', 'u5']]);
  });

  it('closes at 20 detections, a frame without any counting as one', () => {
    const { closed, add } = makeBatcher();
    add('a', 18);
    add('b', 0);
    expect(closed).toEqual([]);
    add('c', 0);
    expect(closed).toHaveLength(1);
  });

  it('keeps cameras apart and takes a frame once', () => {
    const { clock, closed, add, batcher } = makeBatcher();
    add('a');
    add('a');
    add('b', 1, 'cam-02');
    expect(batcher.has('a') && batcher.has('b')).toBe(true);
    clock.advance(2000);
    expect(closed.map(({ camera, uploadIds }) => [camera, uploadIds])).toEqual([
      ['cam-01', ['a']],
      ['cam-02', ['b']],
    ]);
    expect(batcher.has('a')).toBe(false);
  });
});

describe('batchIdOf', () => {
  it('depends on camera and frames, not on their order', () => {
    const id = batchIdOf('cam-01', ['a', 'b']);
    expect(batchIdOf('cam-01', ['b', 'a'])).toBe(id);
    expect(batchIdOf('cam-02', ['a', 'b'])).not.toBe(id);
    expect(batchIdOf('cam-01', ['a', 'b', 'c'])).not.toBe(id);
    expect(batchIdOf('cam-01', ['ab'])).not.toBe(id);
  });
});
