import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Allocation, CachingAllocator } from './caching-allocator.ts';
import { DeviceMemory, MIB } from './device-memory.ts';
import { OutOfMemoryError } from './gpu-error.ts';

function makeAllocator(totalMib: number) {
  const device = new DeviceMemory(totalMib * MIB, 0);
  return { device, allocator: new CachingAllocator(device) };
}

function failure(run: () => unknown): OutOfMemoryError {
  try {
    run();
  } catch (error) {
    if (error instanceof OutOfMemoryError) return error;
    throw error;
  }
  throw new Error('Expected an out-of-memory error');
}

describe('CachingAllocator', () => {
  it.each([
    { bytes: 1, allocated: 512, reserved: 2 * MIB },
    { bytes: 513, allocated: 1024, reserved: 2 * MIB },
    { bytes: MIB, allocated: MIB, reserved: 2 * MIB },
    { bytes: MIB + 1, allocated: MIB + 512, reserved: 20 * MIB },
    { bytes: 10 * MIB - 512, allocated: 10 * MIB - 512, reserved: 20 * MIB },
    { bytes: 10 * MIB, allocated: 10 * MIB, reserved: 10 * MIB },
    { bytes: 181 * MIB, allocated: 182 * MIB, reserved: 182 * MIB },
  ])('rounds $bytes bytes and takes the fitting segment', ({ bytes, allocated, reserved }) => {
    const { allocator } = makeAllocator(1000);
    allocator.allocate(bytes);
    expect(allocator.allocatedBytes).toBe(allocated);
    expect(allocator.reservedBytes).toBe(reserved);
  });

  it('keeps what is freed and hands it out again without asking the device', () => {
    const { device, allocator } = makeAllocator(1000);
    allocator.free(allocator.allocate(180 * MIB));
    expect(allocator.allocatedBytes).toBe(0);
    expect(allocator.reservedBytes).toBe(180 * MIB);
    const freeBytes = device.freeBytes;
    allocator.allocate(100 * MIB);
    expect(device.freeBytes).toBe(freeBytes);
  });

  it('hands out the cached piece that fits best', () => {
    const { allocator } = makeAllocator(1000);
    const cached = [40, 20, 30].map((mib) => allocator.allocate(mib * MIB));
    for (const allocation of cached) allocator.free(allocation);
    const segments = [20, 25, 26].map((mib) => allocator.allocate(mib * MIB).segmentId);
    expect(segments).toEqual([cached[1], cached[2], cached[0]].map((allocation) => allocation?.segmentId));
    expect(allocator.reservedBytes).toBe(90 * MIB);
  });

  it('keeps small and large pieces apart', () => {
    const { allocator } = makeAllocator(1000);
    allocator.free(allocator.allocate(512));
    allocator.allocate(1.5 * MIB);
    expect(allocator.reservedBytes).toBe(22 * MIB);
    allocator.allocate(MIB);
    allocator.allocate(MIB - 512);
    allocator.allocate(512); // the last 512 bytes of the small segment
    expect(allocator.reservedBytes).toBe(22 * MIB);
    allocator.allocate(512);
    expect(allocator.reservedBytes).toBe(24 * MIB);
  });

  it('tells what its cache could serve, and what of it could be given back', () => {
    const { device, allocator } = makeAllocator(100);
    const [first, second] = [allocator.allocate(5 * MIB), allocator.allocate(5 * MIB)];
    const figures = () => [allocator.largestCachedBytes / MIB, allocator.releasableBytes / MIB];
    expect(figures()).toEqual([10, 0]);
    allocator.free(first);
    expect(figures()).toEqual([10, 0]);
    expect(allocator.emptyCache()).toBe(0);
    allocator.free(second);
    expect(figures()).toEqual([20, 20]);
    allocator.free(allocator.allocate(12 * MIB));
    expect(allocator.emptyCache()).toBe(20 * MIB);
    expect([figures(), device.freeBytes]).toEqual([[0, 0], 100 * MIB]);
  });

  it.each([
    [35, 30],
    [30, 35],
  ])('gives back the smallest segment that makes room, of %s and %s MiB', (...sizes) => {
    const { allocator } = makeAllocator(100);
    const cached = sizes.map((mib) => allocator.allocate(mib * MIB));
    for (const allocation of cached) allocator.free(allocation);
    allocator.allocate(60 * MIB); // 34 are free, 36 being taken for 35: either would do
    expect(allocator.reservedBytes).toBe((36 + 60) * MIB);
  });

  it('gives everything back at the end of its process, in use or not', () => {
    const { device, allocator } = makeAllocator(100);
    const held = allocator.allocate(30 * MIB);
    allocator.free(allocator.allocate(20 * MIB));
    expect([allocator.closed, allocator.holds(held)]).toEqual([false, true]);
    allocator.close();
    expect([allocator.closed, allocator.holds(held), allocator.allocations()]).toEqual([true, false, []]);
    expect([allocator.allocatedBytes, allocator.reservedBytes]).toEqual([0, 0]);
    expect(device.freeBytes).toBe(100 * MIB);
  });

  it.each([0, -1, Number.NaN])('refuses %s bytes', (bytes) => {
    expect(() => makeAllocator(100).allocator.allocate(bytes)).toThrow(
      new RangeError(`Expected bytes to be above 0, got ${bytes}`),
    );
  });

  it('gives back one fitting cached segment before all of them', () => {
    const { allocator } = makeAllocator(100);
    const [small, large] = [allocator.allocate(30 * MIB), allocator.allocate(50 * MIB)];
    allocator.free(small);
    allocator.free(large);
    allocator.allocate(60 * MIB); // 20 free: the segment of 50 alone makes room
    expect(allocator.reservedBytes).toBe(90 * MIB);
  });

  it('gives back all cached segments when no single one is enough', () => {
    const { allocator } = makeAllocator(100);
    const held = [allocator.allocate(40 * MIB), allocator.allocate(40 * MIB)];
    for (const allocation of held) allocator.free(allocation);
    allocator.allocate(90 * MIB);
    expect(allocator.reservedBytes).toBe(90 * MIB);
  });

  it('fails by fragmentation although the sum of free memory would hold the request', () => {
    const { device, allocator } = makeAllocator(100);
    const pins = Array.from({ length: 5 }, () => [
      allocator.allocate(9 * MIB),
      allocator.allocate(11 * MIB - 512),
    ]);
    for (const pair of pins) if (pair[1]) allocator.free(pair[1]);
    const freeBytes = device.freeBytes + allocator.reservedBytes - allocator.allocatedBytes;
    expect(freeBytes).toBeGreaterThan(40 * MIB);
    const error = failure(() => allocator.allocate(40 * MIB));
    expect(error.message).toMatch(
      /^CUDA out of memory\. Tried to allocate 40\.00 MiB\. GPU 0 has a total capacity of 100\.00 MiB of which 0\.00 KiB is free\..* 45\.00 MiB is allocated by PyTorch, and 55\.00 MiB is reserved by PyTorch but unallocated\.$/,
    );
  });

  it('takes nothing when it fails, and refuses to free twice', () => {
    const { device, allocator } = makeAllocator(100);
    const held = allocator.allocate(60 * MIB);
    failure(() => allocator.allocate(50 * MIB));
    expect(allocator.allocatedBytes).toBe(60 * MIB);
    expect(device.freeBytes).toBe(40 * MIB);
    allocator.free(held);
    expect(() => allocator.free(held)).toThrow(new RangeError('Expected an allocation that is in use'));
  });

  it('keeps its books for any sequence of calls', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('allocate' as const), bytes: fc.integer({ min: 1, max: 60 * MIB }) }),
      fc.record({ kind: fc.constant('allocate' as const), bytes: fc.integer({ min: 1, max: 2 * MIB }) }),
      fc.record({ kind: fc.constant('free' as const), index: fc.nat() }),
      fc.record({ kind: fc.constant('empty' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const { device, allocator } = makeAllocator(200);
        const held: Allocation[] = [];
        for (const each of steps) {
          if (each.kind === 'empty') allocator.emptyCache();
          else if (each.kind === 'free') {
            const [taken] = held.splice(each.index % (held.length || 1), 1);
            if (taken) allocator.free(taken);
          } else {
            try {
              held.push(allocator.allocate(each.bytes));
            } catch (error) {
              expect(error).toBeInstanceOf(OutOfMemoryError);
            }
          }
          const sumBytes = held.reduce((sum, allocation) => sum + allocation.bytes, 0);
          expect(allocator.allocatedBytes).toBe(sumBytes);
          expect(allocator.reservedBytes).toBeGreaterThanOrEqual(sumBytes);
          expect(device.freeBytes + allocator.reservedBytes).toBe(device.totalBytes);
          expect(new Set(allocator.allocations())).toEqual(new Set(held));
          expectNoOverlap(held);
        }
        for (const allocation of held) allocator.free(allocation);
        allocator.emptyCache();
        expect(device.freeBytes).toBe(device.totalBytes); // everything freed has merged into whole segments
      }),
      { seed: 20_260_101, numRuns: 150 },
    );
  });
});

function expectNoOverlap(allocations: readonly Allocation[]): void {
  const sorted = [...allocations].sort((a, b) => a.segmentId - b.segmentId || a.offset - b.offset);
  for (const [index, allocation] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next?.segmentId === allocation.segmentId) {
      expect(next.offset).toBeGreaterThanOrEqual(allocation.offset + allocation.bytes);
    }
  }
}
