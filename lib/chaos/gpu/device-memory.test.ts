import { describe, expect, it } from 'vitest';
import { DeviceMemory, MIB } from './device-memory.ts';
import { GpuContext } from './gpu-context.ts';
import { OutOfMemoryError } from './gpu-error.ts';

describe('DeviceMemory', () => {
  it('takes all or nothing, up to the last byte', () => {
    const device = new DeviceMemory(100, 10);
    expect([device.take(91), device.freeBytes]).toEqual([false, 90]);
    expect([device.take(90), device.freeBytes]).toEqual([true, 0]);
    expect(device.take(0)).toBe(true);
    device.give(100);
    expect(device.freeBytes).toBe(100);
  });

  it.each([-1, 0.5])('neither takes nor gives %s bytes', (bytes) => {
    const device = new DeviceMemory(100, 10);
    expect(() => device.take(bytes)).toThrow(
      `Expected bytes to be a whole number of at least 0, got ${bytes}`,
    );
    expect(() => device.give(bytes)).toThrow(`Expected bytes to be from 0 to 10, got ${bytes}`);
    expect(device.freeBytes).toBe(90);
  });

  it('takes back no more than it gave', () => {
    expect(() => new DeviceMemory(100, 10).give(11)).toThrow(RangeError);
  });

  it.each([0, 1.5])('refuses %s bytes in total', (total) => {
    expect(() => new DeviceMemory(total, 0)).toThrow(
      `Expected totalBytes to be a whole number above 0, got ${total}`,
    );
  });

  it('may be taken whole by the system, not beyond', () => {
    expect(new DeviceMemory(100, 100).freeBytes).toBe(0);
    expect(() => new DeviceMemory(100, 101)).toThrow('Expected systemBytes to be at most 100, got 101');
  });
});

describe('GpuContext', () => {
  it('gives back its overhead and all of its allocator once, however often it is closed', () => {
    const device = new DeviceMemory(100 * MIB, 0);
    device.take(10 * MIB);
    const context = new GpuContext('yolo26', device, 10 * MIB);
    context.allocator.allocate(30 * MIB);
    expect([context.name, context.lost, context.corrupted, device.freeBytes]).toEqual([
      'yolo26',
      false,
      false,
      60 * MIB,
    ]);
    context.close();
    context.close();
    expect([context.lost, context.allocator.closed, device.freeBytes]).toEqual([true, true, 100 * MIB]);
  });
});

describe('OutOfMemoryError', () => {
  it('tells its figures in the unit that fits, as PyTorch does', () => {
    const error = new OutOfMemoryError({
      triedBytes: 512,
      totalBytes: 2 ** 30,
      freeBytes: MIB,
      allocatedBytes: MIB - 1024,
      reservedBytes: 2 ** 30,
    });
    expect(error).toMatchObject({
      name: 'OutOfMemoryError',
      code: 'OUT_OF_MEMORY',
      figures: { triedBytes: 512 },
    });
    expect(error.message).toBe(
      'CUDA out of memory. Tried to allocate 0.50 KiB. GPU 0 has a total capacity of 1.00 GiB of which 1.00 MiB ' +
        'is free. Of the allocated memory 1023.00 KiB is allocated by PyTorch, and 1023.00 MiB is reserved by ' +
        'PyTorch but unallocated.',
    );
  });
});
