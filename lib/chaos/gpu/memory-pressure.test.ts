import { describe, expect, it } from 'vitest';
import { CachingAllocator } from './caching-allocator.ts';
import { DeviceMemory, MIB } from './device-memory.ts';
import { OutOfMemoryError } from './gpu-error.ts';
import { FragmentPressure, LeakPressure, NeighbourPressure, SpikePressure } from './memory-pressure.ts';

function makeCard(totalMib = 1000) {
  const device = new DeviceMemory(totalMib * MIB, 0);
  return { device, allocator: new CachingAllocator(device), freeMib: () => device.freeBytes / MIB };
}

describe('NeighbourPressure', () => {
  it('takes whole pages of 2 MiB at its rate, and forgets no part of a page', () => {
    const { device, freeMib } = makeCard();
    const pressure = new NeighbourPressure(device, { rateMibPerSecond: 10, targetFreeMib: 0 });
    pressure.advance(199);
    expect(freeMib()).toBe(1000);
    pressure.advance(1);
    expect([freeMib(), pressure.tenantBytes]).toEqual([998, 2 * MIB]);
    for (let n = 0; n < 10; n++) pressure.advance(100);
    expect([freeMib(), pressure.tenantBytes]).toEqual([988, 12 * MIB]);
  });

  it('stops at its target, leaves caches alone, and gives everything back', () => {
    const { device, allocator, freeMib } = makeCard();
    allocator.free(allocator.allocate(300 * MIB));
    const pressure = new NeighbourPressure(device, { rateMibPerSecond: 1000, targetFreeMib: 101 });
    pressure.advance(60_000);
    expect([freeMib(), allocator.reservedBytes]).toEqual([102, 300 * MIB]); // 101 is no whole page
    allocator.emptyCache();
    pressure.advance(1000);
    expect(freeMib()).toBe(102);
    pressure.release();
    expect([freeMib(), pressure.tenantBytes]).toEqual([1000, 0]);
  });

  it('takes nothing where less than its target is free already', () => {
    const { device, allocator, freeMib } = makeCard();
    allocator.allocate(950 * MIB);
    const pressure = new NeighbourPressure(device, { rateMibPerSecond: 1000, targetFreeMib: 100 });
    pressure.advance(1000);
    expect([freeMib(), pressure.tenantBytes]).toEqual([50, 0]);
  });
});

describe('LeakPressure', () => {
  it('eats what is free and what its own process has cached, down to its target, and never gives it back', () => {
    const { device, allocator, freeMib } = makeCard();
    allocator.free(allocator.allocate(300 * MIB));
    const pressure = new LeakPressure(device, allocator, { rateMibPerSecond: 10_000, targetFreeMib: 100 });
    pressure.advance(30);
    expect(allocator.allocatedBytes).toBe(300 * MIB);
    for (let n = 0; n < 100; n++) pressure.advance(30);
    expect([allocator.allocatedBytes, freeMib()]).toEqual([900 * MIB, 100]);
    pressure.release();
    expect([allocator.allocatedBytes, pressure.tenantBytes]).toEqual([900 * MIB, 0]);
  });

  it('ends with its process', () => {
    const { device, allocator, freeMib } = makeCard();
    const pressure = new LeakPressure(device, allocator, { rateMibPerSecond: 1000, targetFreeMib: 0 });
    pressure.advance(100);
    allocator.close();
    pressure.advance(1000);
    expect([freeMib(), allocator.allocatedBytes]).toEqual([1000, 0]);
  });
});

describe('SpikePressure', () => {
  it('takes all at once but its target, the cache of its process too, and leaves nothing behind', () => {
    const { device, allocator, freeMib } = makeCard();
    allocator.free(allocator.allocate(300 * MIB));
    const pressure = new SpikePressure(device, allocator, 100);
    expect([allocator.allocatedBytes, freeMib()]).toEqual([900 * MIB, 100]);
    pressure.advance();
    expect(pressure.tenantBytes).toBe(0);
    pressure.release();
    pressure.release();
    expect([allocator.reservedBytes, freeMib()]).toEqual([0, 1000]);
  });

  it('takes nothing where less than its target is free, and nothing from the process after it restarted', () => {
    const { device, allocator, freeMib } = makeCard();
    new SpikePressure(device, allocator, 1000).release();
    expect(freeMib()).toBe(1000);
    const pressure = new SpikePressure(device, allocator, 100);
    allocator.close();
    pressure.release();
    expect(freeMib()).toBe(1000);
  });
});

describe('FragmentPressure', () => {
  it('pins 5 of every 20 MiB: most memory is free, and none of it holds an image', () => {
    const { device, allocator, freeMib } = makeCard();
    const pressure = new FragmentPressure(device, allocator, 100);
    expect(freeMib()).toBe(100);
    expect([allocator.reservedBytes, allocator.allocatedBytes]).toEqual([900 * MIB, 225 * MIB]);
    expect(allocator.largestCachedBytes).toBe(15 * MIB);
    expect(allocator.releasableBytes).toBe(0);
    expect(() => allocator.allocate(180 * MIB)).toThrow(OutOfMemoryError);
    pressure.release();
    expect([allocator.reservedBytes, freeMib(), pressure.tenantBytes]).toEqual([0, 1000, 0]);
    allocator.allocate(180 * MIB);
  });

  it('fragments what a batch held when it began, as it comes back', () => {
    const { device, allocator } = makeCard();
    const batch = allocator.allocate(600 * MIB);
    const pressure = new FragmentPressure(device, allocator, 100);
    expect(allocator.allocatedBytes).toBe((600 + 75) * MIB);
    pressure.advance();
    expect(allocator.allocatedBytes).toBe((600 + 75) * MIB);
    allocator.free(batch);
    pressure.advance();
    expect([allocator.reservedBytes, allocator.allocatedBytes]).toEqual([900 * MIB, 225 * MIB]);
    expect([allocator.releasableBytes, allocator.largestCachedBytes]).toEqual([0, 15 * MIB]);
  });

  it('leaves alone what is smaller than a segment, and a process that restarted', () => {
    const { device, allocator, freeMib } = makeCard();
    const pressure = new FragmentPressure(device, allocator, 981);
    expect(freeMib()).toBe(1000);
    const other = new FragmentPressure(device, allocator, 980);
    expect(freeMib()).toBe(980);
    allocator.close();
    for (const each of [pressure, other]) {
      each.advance();
      each.release();
    }
    expect(freeMib()).toBe(1000);
  });
});
