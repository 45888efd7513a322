import { describe, expect, it } from 'vitest';
import { heatReading, heldWords, mebibytes, memoryReading } from './gpu-readings.ts';

const memory = {
  totalMib: 20_000,
  allocatedMib: 15_000,
  cachedMib: 1_000,
  tenantsMib: 3_000,
  freeMib: 1_000,
  largestFreeMib: 900,
};

describe('memoryReading', () => {
  it('divides the bar and puts the line where one more image does not fit', () => {
    const reading = memoryReading({ memory, imageMib: 200 });
    expect(reading?.parts.map(({ key, share }) => [key, share])).toEqual([
      ['allocated', 0.75],
      ['cached', 0.05],
      ['tenants', 0.15],
      ['free', 0.05],
    ]);
    expect(reading?.outOfMemoryShare).toBe(0.99);
    expect(reading?.outOfMemory).toBeNull();
  });

  it('tells pieces that are too small from memory that is gone', () => {
    const with_ = (changes: Partial<typeof memory>) =>
      memoryReading({ memory: { ...memory, ...changes }, imageMib: 200 })?.outOfMemory;
    expect(with_({ largestFreeMib: 199 })).toBe('fragmented');
    expect(with_({ largestFreeMib: 100, freeMib: 100, cachedMib: 50 })).toBe('full');
  });

  it('has nothing to show without a card', () => {
    const none = { ...memory, allocatedMib: 0, cachedMib: 0, tenantsMib: 0, freeMib: 0, largestFreeMib: 0 };
    expect(memoryReading({ memory: none, imageMib: 200 })).toBeNull();
  });
});

describe('heatReading', () => {
  const limits = { targetC: 84, softwareC: 90, hardwareC: 95, shutdownC: 98, powerW: 230 };
  const at = (temperatureC: number, paused = false, throttled: string[] = []) =>
    heatReading({ temperatureC, limits, paused, throttled }).word;
  it('names what the card does at each limit', () => {
    expect([40, 84, 95, 98].map((celsius) => at(celsius))).toEqual([
      'COOL',
      'SLOWING DOWN',
      'HW SLOWDOWN',
      'SHUTDOWN',
    ]);
  });

  it('stays with a flag that is still set below its limit', () => {
    expect(at(88, true, ['SW thermal slowdown'])).toBe('PAUSED BY HEAT');
    expect(at(82, false, ['HW slowdown'])).toBe('THROTTLED');
  });
});

it('says for how long a reason held, and of how much that was seen', () => {
  const window = { windowMs: 300_000, throttledMs: 0, reasons: [] };
  expect(heldWords(42_000, { ...window, observedMs: 299_400 })).toBe('42 s of the last 5 min');
  expect(heldWords(0, { ...window, observedMs: 80_000 })).toBe('never in the 1 min 20 s seen');
});

it('writes memory in the unit that fits', () => {
  expect([180, 1_023, 17_900].map(mebibytes)).toEqual(['180 MiB', '1023 MiB', '17.5 GiB']);
});
