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

describe('GpuDevice turns', () => {
  it('tells how long a kernel took and how long the running one has been running', async () => {
    const { clock, device } = makeDevice();
    const context = device.openContext('yolo26');
    clock.advance(5000);
    expect(device.kernelAgeMs).toBe(0);
    const kernel = device.runKernel(context, 40);
    await settle();
    clock.advance(30);
    expect(device.kernelAgeMs).toBe(30);
    clock.advance(10);
    expect(await kernel).toBe(40);
    expect(device.kernelAgeMs).toBe(0);
  });

  it('does not begin for a caller that is gone already, and lets the next one in', async () => {
    const { clock, device } = makeDevice();
    const context = device.openContext('yolo26');
    await expect(device.runKernel(context, 40, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    const kernel = device.runKernel(context, 40);
    await settle();
    clock.advance(40);
    await kernel;
  });

  it('runs a kernel to its end that has begun, whatever its caller wants', async () => {
    const { clock, device } = makeDevice();
    const context = device.openContext('yolo26');
    const caller = new AbortController();
    const waited = device.runKernel(context, 40);
    const kernel = device.runKernel(context, 40, caller.signal);
    await settle();
    clock.advance(40);
    await waited;
    await settle();
    caller.abort(new Error('gone'));
    clock.advance(40);
    expect(await kernel).toBe(40);
  });

  it('gives the turn on after work that failed', async () => {
    const { clock, device } = makeDevice();
    const context = device.openContext('yolo26');
    const broken = device.occupy(context, () => Promise.reject(new Error('kernel')));
    const next = device.runKernel(context, 40);
    await expect(broken).rejects.toThrow('kernel');
    await settle();
    clock.advance(40);
    await next;
    clock.advance(960);
    expect(device.status().utilisationRatio).toBe(0.04);
  });

  it('fails in a context that was spoilt while it ran, and ever after', async () => {
    const { clock, device } = makeDevice();
    const context = device.openContext('yolo26');
    const kernel = device.runKernel(context, 40);
    await settle();
    context.corrupt();
    clock.advance(40);
    const spoilt = {
      code: 'CONTEXT_CORRUPTED',
      message: 'CUDA error: an illegal memory access was encountered',
    };
    await expect(kernel).rejects.toMatchObject(spoilt);
    await expect(device.runKernel(context, 40)).rejects.toMatchObject(spoilt);
    device.requireUsable(device.openContext('nemotron'));
  });

  it('tells a running kernel why it failed: card gone, or reset', async () => {
    const { device } = makeDevice();
    const first = device.runKernel(device.openContext('yolo26'), 40);
    await settle();
    device.reset();
    await expect(first).rejects.toMatchObject({
      name: 'GpuError',
      code: 'CONTEXT_LOST',
      message: 'CUDA error: context is destroyed',
    });
    const second = device.runKernel(device.openContext('yolo26'), 40);
    await settle();
    device.detach();
    await expect(second).rejects.toMatchObject({
      code: 'NO_DEVICE',
      message: 'CUDA error: no CUDA-capable device is detected',
    });
  });
});

describe('GpuDevice presence', () => {
  it('tells each Xid with its meaning and what to do, keeps the last 50, and stays for one that is not 79', () => {
    const { clock, device } = makeDevice();
    const heard: number[] = [];
    device.on('xid', ({ code }) => heard.push(code));
    expect(device.raiseXid(43)).toEqual({
      code: 43,
      at: clock.now(),
      meaning: 'GPU stopped processing',
      action: 'restart the application',
    });
    expect([device.available, device.absent]).toEqual([true, false]);
    for (let n = 0; n < 50; n++) device.raiseXid(79);
    expect([device.available, device.absent]).toEqual([false, false]);
    clock.advance(1000);
    const { xids } = device.status();
    expect([xids.length, xids[0]?.code, heard.length]).toEqual([50, 79, 51]);
  });

  it('is absent while detached, and cold in every figure', () => {
    const { clock, device } = makeDevice({ startUtilisation: 1 });
    device.tenantUtilisation = 1;
    const context = device.openContext('yolo26');
    device.detach();
    expect([device.available, device.absent, context.lost]).toEqual([false, true, true]);
    expect(() => device.openContext('yolo26')).toThrow('no CUDA-capable device');
    device.raiseXid(79); // says so, but nothing is there that could be lost
    expect(device.absent).toBe(true);
    clock.advance(1000);
    expect(device.status()).toMatchObject({
      available: false,
      smClockMhz: 0,
      powerW: 0,
      utilisationRatio: 0,
      clockEventReasons: 0,
      throttled: [],
      memory: {
        totalMib: 24_564,
        allocatedMib: 0,
        cachedMib: 0,
        tenantsMib: 0,
        freeMib: 0,
        largestFreeMib: 0,
      },
    });
    device.reset();
    expect([device.available, device.absent]).toEqual([true, false]);
  });

  it('keeps its heat over a reset, and is back at full clock', () => {
    const { clock, device } = makeDevice({ startUtilisation: 1 });
    device.tenantUtilisation = 1;
    device.cooling = { sinkFactor: 4, inletDeltaK: 0, governor: true };
    clock.advance(60_000);
    const hotC = device.temperatureC;
    expect(device.clockMhz).toBeLessThan(1500);
    device.reset();
    expect([device.temperatureC, device.clockMhz]).toEqual([hotC, 1800]);
  });

  it('takes no memory and no load for anyone while it is gone', () => {
    const { clock, device } = makeDevice();
    device.addPressure(
      'f1',
      new NeighbourPressure(device.memory, { rateMibPerSecond: 100, targetFreeMib: 0 }),
    );
    device.raiseXid(79);
    const freeBytes = device.memory.freeBytes;
    clock.advance(1000);
    expect([device.status().memory.tenantsMib, device.memory.freeBytes]).toEqual([0, freeBytes]);
  });
});

describe('GpuDevice sample', () => {
  it('describes a card at rest', () => {
    expect(makeDevice().device.status()).toEqual({
      name: 'Simulated 24 GiB workstation GPU',
      available: true,
      memory: {
        totalMib: 24_564,
        allocatedMib: 450,
        cachedMib: 0,
        tenantsMib: 0,
        freeMib: 24_114,
        largestFreeMib: 24_114,
      },
      temperatureC: 32,
      smClockMhz: 1800,
      maxSmClockMhz: 1800,
      powerW: 22,
      utilisationRatio: 0,
      clockEventReasons: CLOCK_EVENTS.idle,
      throttled: [],
      xids: [],
    });
  });

  it('stays for a second, and shows at once that a context came or went', () => {
    const { clock, device } = makeDevice();
    device.tenantUtilisation = 0.5;
    const before = device.status();
    clock.advance(999);
    expect(device.status()).toBe(before);
    clock.advance(1);
    expect(device.status()).toMatchObject({ utilisationRatio: 0.5 });
    const context = device.openContext('yolo26');
    expect(device.status()).toMatchObject({ utilisationRatio: 0.5, memory: { allocatedMib: 900 } });
    device.closeContext(context);
    expect(device.status().memory.allocatedMib).toBe(450);
    device.detach();
    expect(device.status().available).toBe(false);
  });

  it('is fully used at most, at the power cap then, and never idle', async () => {
    const { clock, device } = makeDevice({ startUtilisation: 1 });
    device.tenantUtilisation = 1;
    const kernel = device.runKernel(device.openContext('yolo26'), 1000);
    await settle();
    clock.advance(1000);
    await kernel;
    expect(device.status()).toMatchObject({
      utilisationRatio: 1,
      powerW: 230,
      clockEventReasons: CLOCK_EVENTS.softwarePowerCap,
    });
  });

  it('shows as largest piece what a cache holds, when the card has less', () => {
    const { device } = makeDevice({ totalMib: 2400 });
    const { allocator } = device.openContext('yolo26');
    allocator.free(allocator.allocate(800 * MIB));
    device.openContext('nemotron');
    expect(device.status().memory).toMatchObject({ cachedMib: 800, freeMib: 250, largestFreeMib: 800 });
  });

  it.each([-0.1, 1.1, Number.NaN])("refuses %s as tenants' load", (ratio) => {
    const { device } = makeDevice();
    expect(() => {
      device.tenantUtilisation = ratio;
    }).toThrow(`Expected ratio to be from 0 to 1, got ${ratio}`);
  });
});

describe('GpuDevice between two looks', () => {
  const worst = { sinkFactor: 8, inletDeltaK: 15, governor: false };

  it.each<[string, (device: GpuDevice) => void]>([
    [
      'cooling',
      (device) => {
        device.cooling = worst;
      },
    ],
    [
      'load',
      (device) => {
        device.tenantUtilisation = 1;
      },
    ],
    ['absence', (device) => device.detach()],
  ])('counts a change of %s from its moment on', (_, change) => {
    const [changed, same] = [makeDevice({ startUtilisation: 0.5 }), makeDevice({ startUtilisation: 0.5 })];
    for (const { clock, device } of [changed, same]) {
      device.tenantUtilisation = 0.5;
      clock.advance(10_000);
    }
    change(changed.device);
    expect(changed.device.temperatureC).toBeCloseTo(same.device.temperatureC, 6);
    for (const { clock } of [changed, same]) clock.advance(5000);
    expect(Math.abs(changed.device.temperatureC - same.device.temperatureC)).toBeGreaterThan(1);
  });

  it('lets a pressure take from the moment on at which it is added, up to the one at which it goes', () => {
    const { clock, device } = makeDevice();
    const pressure = new NeighbourPressure(device.memory, { rateMibPerSecond: 100, targetFreeMib: 0 });
    clock.advance(1000);
    device.addPressure('f1', pressure);
    expect(device.status().memory.tenantsMib).toBe(0);
    clock.advance(1000);
    device.removePressure('f2');
    expect(pressure.tenantBytes).toBe(100 * MIB);
  });

  it('is up to date in whatever is asked first', () => {
    const asked = [
      (device: GpuDevice) => device.temperatureC,
      (device: GpuDevice) => device.clockMhz,
      (device: GpuDevice) => device.slowdown,
      (device: GpuDevice) => device.softwareThermal,
      (device: GpuDevice) => device.available,
    ];
    for (const ask of asked) {
      const [first, later] = [makeDevice(), makeDevice()];
      for (const { clock, device } of [first, later]) {
        device.cooling = { ...worst, governor: true };
        device.tenantUtilisation = 1;
        clock.advance(90_000);
      }
      later.device.advance();
      expect(ask(first.device)).toEqual(ask(later.device));
    }
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

describe('GpuDevice clock events of the last five minutes', () => {
  it('measures how long each reason held, however seldom it is looked at', () => {
    const { clock, device } = makeDevice({ thermal: GAME_DAY_THERMAL, startUtilisation: 0.15 });
    clock.advance(60_000);
    device.tenantUtilisation = 1;
    device.cooling = { ...GOOD_COOLING, sinkFactor: 4 };
    const hotAt = clock.monotonicMs();
    while (!device.softwareThermal) clock.advance(10);
    const flaggedMs = clock.monotonicMs() - hotAt;
    clock.advance(20_000 - flaggedMs);
    const { observedMs, throttledMs, heldMs } = device.clockEventTimes();
    expect(observedMs).toBe(80_000);
    expect(heldMs.get(CLOCK_EVENTS.idle)).toBe(60_000);
    expect(throttledMs).toBeGreaterThan(2000);
    expect(throttledMs).toBeLessThanOrEqual(20_000 - flaggedMs + 10);
    expect(heldMs.get(CLOCK_EVENTS.softwareThermal)).toBe(throttledMs);
    expect(heldMs.get(CLOCK_EVENTS.hardwareSlowdown)).toBeGreaterThan(0);
    expect(heldMs.get(CLOCK_EVENTS.hardwareSlowdown)).toBeLessThan(throttledMs);
  });

  it('counts nothing while there is no card', () => {
    const { clock, device } = makeDevice();
    clock.advance(5000);
    device.detach();
    clock.advance(60_000);
    expect(device.clockEventTimes().observedMs).toBe(5000);
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

  it('opens no context whose overhead does not fit, and says why', () => {
    const { device } = makeDevice({ totalMib: 1000 });
    device.openContext('yolo26');
    expect(() => device.openContext('nemotron')).toThrow(
      expect.objectContaining({
        figures: {
          triedBytes: 450 * MIB,
          totalBytes: 1000 * MIB,
          freeBytes: 100 * MIB,
          allocatedBytes: 0,
          reservedBytes: 0,
        },
      }),
    );
  });

  it('releases the pressure that another of the same name replaces', () => {
    const { clock, device } = makeDevice();
    const squeeze = () => new NeighbourPressure(device.memory, { rateMibPerSecond: 1000, targetFreeMib: 0 });
    device.addPressure('f1', squeeze());
    clock.advance(1000);
    expect(device.status().memory.tenantsMib).toBe(1000);
    device.addPressure('f1', squeeze());
    clock.advance(1000);
    expect(device.status().memory.tenantsMib).toBe(1000);
    device.removePressure('f1');
    device.removePressure('f1');
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
    expect(device.status().memory).toMatchObject({ allocatedMib: 450, freeMib: 24_564 - 450 });
  });
});
