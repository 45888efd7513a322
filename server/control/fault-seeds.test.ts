import { describe, expect, it } from 'vitest';
import { FaultSeeds } from './fault-seeds.ts';

const script = (seeds: FaultSeeds, faults: readonly (readonly [service: string, type: string])[]) =>
  faults.map(([service, type]) => {
    const seed = seeds.next(service, type);
    seeds.started(service, type);
    return seed;
  });

describe('FaultSeeds', () => {
  it('gives the same faults the same seeds in every run with its seed, whatever stands between them', () => {
    const latencies = script(new FaultSeeds(42), [
      ['redis', 'latency'],
      ['redis', 'latency'],
    ]);
    const between = script(new FaultSeeds(42), [
      ['redis', 'latency'],
      ['yolo26', 'latency'],
      ['redis', 'timeout'],
      ['redis', 'latency'],
    ]);
    expect([between[0], between[3]]).toEqual(latencies);
    expect(new Set([...latencies, ...between]).size).toBe(4);
    expect(script(new FaultSeeds(43), [['redis', 'latency']])).not.toEqual(latencies.slice(0, 1));
  });

  it('spends no seed on a fault that was not started', () => {
    const seeds = new FaultSeeds(42);
    expect(seeds.next('redis', 'latency')).toBe(seeds.next('redis', 'latency'));
  });

  it('draws a seed for the run when none is given', () => {
    expect(new FaultSeeds().run).not.toBe(new FaultSeeds().run);
    expect(Number.isInteger(new FaultSeeds().run)).toBe(true);
  });
});
