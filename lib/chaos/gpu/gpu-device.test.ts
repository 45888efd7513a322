import { describe, expect, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { CLOCK_EVENTS } from './clock-events.ts';
import { MIB } from './device-memory.ts';
import { GpuDevice, type GpuDeviceOptions } from './gpu-device.ts';
import { LeakPressure, NeighbourPressure, SpikePressure } from './memory-pressure.ts';
import { GAME_DAY_THERMAL, GOOD_COOLING } from './thermal-model.ts';

function makeDevice(overrides: Partial<GpuDeviceOptions> = {}) {
  const clock = new ManualClock();
  return { clock, device: new GpuDevice({ clock, ...overrides }) };
}

/** Lets promises that are ready run, between two moves of the clock. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

const memorySum = ({ memory }: ReturnType<GpuDevice['status']>) =>
  memory.allocatedMib + memory.cachedMib + memory.tenantsMib + memory.freeMib;

describe('GpuDevice kernels', () => {
  it('runs one at a time, first come first served', async () => {
    const { clock, device } = makeDevice();
    const context = device.openContext('yolo26');
    const done: string[] = [];
    const first = device.runKernel(context, 40).then(() => done.push('first'));
    const second = device.runKernel(context, 40).then(() => done.push('second'));
    await settle();
    clock.advance(40);
    await first;
    expect(done).toEqual(['first']);
    clock.advance(39);
    await settle();
    expect(done).toEqual(['first']);
    clock.advance(1);
    await second;
  });

  it('takes longer at a lower clock: 0.3 + 0.7 fmax/f', async () => {
    const { clock, device } = makeDevice({
      thermal: { ...GAME_DAY_THERMAL },
      startUtilisation: 1,
    });
    const context = device.openContext('yolo26');
    expect(device.slowdown).toBeCloseTo(1);
    device.cooling = { ...GOOD_COOLING, sinkFactor: 4 };
    device.tenantUtilisation = 1;
    clock.advance(120_000);
    expect(device.status().smClockMhz).toBe(1170);
    const kernel = device.runKernel(context, 100);
    await settle();
    clock.advance(140);
    expect(await kernel).toBeCloseTo(100 * (0.3 + (0.7 * 1800) / 1170), 0);
  });

  it('counts utilisation per second and heats up by it', async () => {
    const { clock, device } = makeDevice();
    const context = device.openContext('yolo26');
    expect(device.status().clockEventReasons & CLOCK_EVENTS.idle).toBe(CLOCK_EVENTS.idle);
    const coldC = device.temperatureC;
    const kernel = device.runKernel(context, 250);
    await settle();
    clock.advance(250);
    await kernel;
    clock.advance(750);
    expect(device.status().utilisationRatio).toBe(0.25);
    expect(device.status().clockEventReasons & CLOCK_EVENTS.idle).toBe(0);
    expect(device.temperatureC).toBeGreaterThan(coldC);
  });

  it('lets a caller that gave up leave the line without running', async () => {
    const { clock, device } = makeDevice();
    const context = device.openContext('yolo26');
    const caller = new AbortController();
    const first = device.runKernel(context, 40);
    const second = device.runKernel(context, 40, caller.signal);
    const third = device.runKernel(context, 40);
    const gone = expect(second).rejects.toThrow('gone');
    caller.abort(new Error('gone'));
    await gone;
    await settle();
    clock.advance(40);
    await first;
    await settle();
    clock.advance(40);
    await third;
    expect(clock.monotonicMs()).toBe(80);
  });

  it('fails running and waiting kernels at once when the card falls off the bus, until it is reset', async () => {
    const { device } = makeDevice();
    const context = device.openContext('yolo26');
    const running = expect(device.runKernel(context, 1000)).rejects.toMatchObject({ code: 'GPU_LOST' });
    const waiting = expect(device.runKernel(context, 1000)).rejects.toMatchObject({ code: 'GPU_LOST' });
    await settle();
    device.raiseXid(79);
    await running;
    await waiting;
    expect(device.status()).toMatchObject({ available: false, smClockMhz: 0, xids: [{ code: 79 }] });
    expect(() => device.openContext('yolo26')).toThrow('Xid 79');
    device.reset();
    expect(context.lost).toBe(true);
    await expect(device.runKernel(context, 1)).rejects.toMatchObject({ code: 'CONTEXT_LOST' });
    expect(device.openContext('yolo26').lost).toBe(false);
  });
});

describe('GpuDevice heat', () => {
  it('shuts down with Xid 79 at 98 °C when the governor is off', () => {
    const { clock, device } = makeDevice({ startUtilisation: 1 });
    device.tenantUtilisation = 1;
    device.cooling = { sinkFactor: 4, inletDeltaK: 0, governor: false };
    clock.advance(14_000);
    expect(device.available).toBe(true);
    clock.advance(4000);
    expect(device.available).toBe(false);
    expect(device.status().xids.map((xid) => xid.code)).toEqual([79]);
    clock.advance(60_000);
    expect(device.temperatureC).toBeLessThan(60);
  });

  it('shows flags as NVML bits and words', () => {
    const { clock, device } = makeDevice({ thermal: GAME_DAY_THERMAL, startUtilisation: 0.15 });
    device.tenantUtilisation = 1;
    device.cooling = { ...GOOD_COOLING, sinkFactor: 4 };
    clock.advance(8000);
    expect(device.status().throttled).toEqual(['SW thermal slowdown']);
    expect(device.status().smClockMhz % 15).toBe(0);
  });

  it('caps the clock and sets both hardware bits from 95 °C', () => {
    const { clock, device } = makeDevice({ thermal: GAME_DAY_THERMAL, startUtilisation: 0.15 });
    device.tenantUtilisation = 1;
    device.cooling = { ...GOOD_COOLING, sinkFactor: 4 };
    for (let step = 0; step < 2000 && device.clockMhz > 900; step++) clock.advance(10);
    expect(device.temperatureC).toBeGreaterThan(94.5);
    expect(device.status().clockEventReasons & 0x68).toBe(0x68);
    expect(device.status().smClockMhz % 15).toBe(0);
  });
});

describe('GpuDevice memory', () => {
  it('adds up to the total under allocations, cache and tenants', () => {
    const { clock, device } = makeDevice();
    const context = device.openContext('nemotron');
    context.allocator.allocate(17_900 * MIB);
    context.allocator.free(context.allocator.allocate(180 * MIB));
    device.addPressure(
      'f1',
      new NeighbourPressure(device.memory, { rateMibPerSecond: 1500, targetFreeMib: 256 }),
    );
    clock.advance(1000);
    expect(device.status().memory).toEqual({
      totalMib: 24_564,
      allocatedMib: 450 + 450 + 17_900,
      cachedMib: 180,
      tenantsMib: 1500,
      freeMib: 24_564 - 450 - 450 - 17_900 - 180 - 1500,
      largestFreeMib: 24_564 - 450 - 450 - 17_900 - 180 - 1500,
    });
    clock.advance(60_000);
    expect(device.status().memory.freeMib).toBe(256);
    expect(memorySum(device.status())).toBe(24_564);
    device.removePressure('f1');
    clock.advance(1000);
    expect(device.status().memory.tenantsMib).toBe(0);
  });

  it('lets a leak eat the process own cache, and keeps it until the context is closed', () => {
    const { clock, device } = makeDevice();
    const context = device.openContext('yolo26');
    context.allocator.free(context.allocator.allocate(1440 * MIB));
    device.addPressure(
      'f1',
      new LeakPressure(device.memory, context.allocator, { rateMibPerSecond: 10_000, targetFreeMib: 100 }),
    );
    clock.advance(10_000);
    expect(device.status().memory.freeMib + device.status().memory.cachedMib).toBeLessThanOrEqual(102);
    expect(() => context.allocator.allocate(180 * MIB)).toThrow(/out of memory/);
    device.removePressure('f1');
    expect(() => context.allocator.allocate(180 * MIB)).toThrow(/out of memory/);
    device.closeContext(context);
    expect(device.memory.freeBytes).toBe((24_564 - 450) * MIB);
  });

  it('takes a spike at once and gives it back whole', () => {
    const { device } = makeDevice();
    const context = device.openContext('yolo26');
    device.addPressure('f1', new SpikePressure(device.memory, context.allocator, 256));
    expect(device.memory.freeBytes).toBe(256 * MIB);
    device.removePressure('f1');
    expect(device.memory.freeBytes).toBe((24_564 - 900) * MIB);
  });

  it('shows no card at all while detached', () => {
    const { device } = makeDevice();
    const context = device.openContext('yolo26');
    device.detach();
    expect(() => device.requireUsable(context)).toThrow('no CUDA-capable device');
    expect(device.status().memory.freeMib).toBe(0);
    device.reset();
    expect(device.status().memory.freeMib).toBe(24_564 - 450);
  });
});
