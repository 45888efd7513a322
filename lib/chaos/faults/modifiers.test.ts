import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { FAULT_TYPES, findFaultType } from './catalogue.ts';
import type { FaultSpec } from './fault.ts';
import { FaultInjector } from './injector.ts';
import { matchKindsOf, modifiersOf } from './modifiers.ts';

function makeFault(overrides: Partial<FaultSpec> = {}): FaultSpec {
  return {
    id: 'f1',
    version: 1,
    service: 'redis',
    type: 'server_error',
    params: {},
    ratio: 1,
    seed: 7,
    ttlMs: 60_000,
    ...overrides,
  };
}

/** An injector on a clock moved by hand, and what its effect was asked to do. */
async function arm(overrides: Partial<FaultSpec>) {
  const clock = new ManualClock();
  const asked: string[] = [];
  const at = (what: string) => () => {
    asked.push(`${what} ${clock.monotonicMs()}`);
  };
  const injector = new FaultInjector({
    clock,
    effect: { arm: at('arm'), change: at('change'), end: at('end') },
  });
  await injector.arm(makeFault(overrides));
  const advance = async (ms: number) => {
    for (let left = ms; left > 0; left -= 10) {
      clock.advance(Math.min(10, left));
      await turn();
    }
  };
  const call = (healthCheck = false) => injector.decide('redis', { kind: 'GET', healthCheck });
  return { clock, asked, injector, advance, call };
}

describe('pulse', () => {
  const pulse = { activeMs: 100, dormantMs: 300 };

  it('acts first, rests, and acts again, for calls and for the effect', async () => {
    const { asked, injector, advance, call } = await arm({ pulse, ttlMs: 1000 });
    expect(call()).toBeDefined();
    await advance(90);
    expect(call()).toBeDefined();
    await advance(20);
    expect(call()).toBeUndefined();
    expect(injector.active('redis')).toEqual([]);
    await advance(300);
    expect(call()).toBeDefined();
    expect(injector.active('redis')).toHaveLength(1);
    await advance(390);
    expect(call()).toBeDefined(); // 800 ms: its third turn
    await advance(200);
    expect(asked).toEqual(['arm 0', 'end 100', 'arm 400', 'end 500', 'arm 800', 'end 900']);
    expect(injector.all()).toEqual([]); // the TTL ran out while it rested, and nothing was ended twice
  });

  it('does not count calls made while it rests', async () => {
    const { injector, advance, call } = await arm({ pulse });
    call();
    await advance(200);
    for (let n = 0; n < 5; n++) call();
    expect(injector.activity()[0]).toMatchObject({ hits: 1, seen: 1 });
  });

  it('is ended once, whether it acts or rests', async () => {
    const acting = await arm({ pulse });
    await acting.advance(410);
    await acting.injector.end('f1', 'stopped');
    expect(acting.asked).toEqual(['arm 0', 'end 100', 'arm 400', 'end 410']);
    const resting = await arm({ pulse });
    await resting.advance(200);
    await resting.injector.end('f1', 'stopped');
    await resting.advance(1000);
    expect(resting.asked).toEqual(['arm 0', 'end 100']);
  });

  it('takes a change made while it rests into its next turn', async () => {
    const { asked, injector, advance, call } = await arm({ pulse });
    await advance(200);
    await injector.change(makeFault({ pulse, version: 2, ratio: 0.000001 }));
    expect(asked).toEqual(['arm 0', 'end 100']);
    await advance(220);
    expect(asked).toEqual(['arm 0', 'end 100', 'arm 400']);
    expect(call()).toBeUndefined();
  });

  it('acts at once when it is taken away while the fault rests, and rests when the new turns want it', async () => {
    const { asked, injector, advance, call } = await arm({ pulse });
    await advance(200);
    await injector.change(makeFault({ version: 2 }));
    expect(asked).toEqual(['arm 0', 'end 100', 'arm 200']);
    expect(call()).toBeDefined();
    await advance(500);
    await injector.change(makeFault({ version: 3, pulse: { activeMs: 600, dormantMs: 200 } }));
    expect(call()).toBeUndefined();
    expect(injector.active('redis')).toEqual([]);
    await advance(100);
    expect(call()).toBeDefined();
    expect(asked).toEqual(['arm 0', 'end 100', 'arm 200', 'end 700', 'arm 800']);
  });

  it('is not moved by a step of the wall clock', async () => {
    const { clock, advance, call } = await arm({ pulse });
    await advance(150);
    clock.stepWall(-3_600_000);
    expect(call()).toBeUndefined();
  });

  it('comes from the parameters of a type with a rhythm of its own, and follows them', async () => {
    const flapping = { service: 'network', type: 'flapping' } as const;
    const { asked, injector, advance } = await arm({ ...flapping, params: { offMs: 100, onMs: 100 } });
    await advance(250);
    expect(asked).toEqual(['arm 0', 'end 100', 'arm 200']);
    await injector.change(makeFault({ ...flapping, version: 2, params: { offMs: 400, onMs: 100 } }));
    await advance(250);
    expect(asked).toEqual(['arm 0', 'end 100', 'arm 200', 'change 250', 'end 400', 'arm 500']);
  });
});

describe('failFirst', () => {
  it('hits the first n matching calls and none after them; health checks are counted apart', async () => {
    const { injector, call } = await arm({ failFirst: 3 });
    expect(Array.from({ length: 6 }, () => call() !== undefined)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(Array.from({ length: 4 }, () => call(true) !== undefined)).toEqual([true, true, true, false]);
    expect(injector.activity()[0]).toMatchObject({ hits: 6, seen: 10 });
    expect(injector.hitsAll(makeFault())).toBe(false);
  });

  it('gives the first n the verdicts that the same seed gives without it', async () => {
    const draw = async (failFirst?: number) => {
      const { call } = await arm({ ratio: 0.4, failFirst });
      return Array.from({ length: 50 }, () => call() !== undefined);
    };
    const all = await draw();
    const first = await draw(20);
    expect(first.slice(0, 20)).toEqual(all.slice(0, 20));
    expect(first.slice(20)).not.toContain(true);
    expect(all.slice(20)).toContain(true);
  });
});

describe('rampMs', () => {
  it('lets the ratio grow from 0 to what was asked, and then the effect take hold', async () => {
    const { asked, injector, clock, call } = await arm({ ratio: 0.8, rampMs: 10_000 });
    const share = () => {
      let hits = 0;
      for (let n = 0; n < 2000; n++) if (call()) hits++;
      return hits / 2000;
    };
    expect(share()).toBe(0);
    clock.advance(2500);
    expect(share()).toBeCloseTo(0.2, 1);
    clock.advance(2500);
    expect(share()).toBeCloseTo(0.4, 1);
    clock.advance(5000);
    await turn();
    expect(share()).toBeCloseTo(0.8, 1);
    clock.advance(5000);
    expect(share()).toBeCloseTo(0.8, 1);
    expect(asked).toEqual(['arm 0', 'change 10000']);
    expect(injector.hitsAll(makeFault())).toBe(false);
  });

  it('keeps what is known before the call from acting until it is over', async () => {
    const { clock, injector } = await arm({ rampMs: 1000 });
    clock.advance(990);
    expect(injector.hitsAll(makeFault())).toBe(false);
    clock.advance(10);
    expect(injector.hitsAll(makeFault())).toBe(true);
  });

  it('lets the delay of a latency grow and leaves its ratio', async () => {
    const { clock, call } = await arm({ type: 'latency', params: { latencyMs: 500 }, rampMs: 1000 });
    expect(call()?.delayShare).toBe(0);
    clock.advance(250);
    expect(call()?.delayShare).toBe(0.25);
    clock.advance(2000);
    expect(call()?.delayShare).toBe(1);
  });
});

describe('modifiersOf', () => {
  it.each([
    ['redis', 'server_error', ['ratio', 'match', 'pulse', 'failFirst', 'rampMs'], ['command']],
    ['database', 'latency', ['ratio', 'match', 'pulse', 'failFirst', 'rampMs'], ['command', 'sql']],
    ['yolo26', 'timeout', ['ratio', 'match', 'pulse', 'failFirst', 'rampMs'], ['route']],
    ['ftp', 'corrupted_file', ['ratio', 'match', 'pulse', 'failFirst', 'rampMs'], ['file']],
    ['network', 'dns_failure', ['ratio', 'pulse', 'failFirst', 'rampMs'], []],
    ['redis', 'unavailable', ['ratio', 'pulse', 'failFirst', 'rampMs'], []],
    ['gpu', 'unavailable', ['pulse'], []],
    ['gpu', 'latency', ['ratio', 'match', 'pulse', 'failFirst', 'rampMs'], ['route']],
    ['pipeline', 'process_killed', ['pulse'], []],
    ['network', 'bandwidth', ['ratio', 'pulse'], []],
    ['network', 'flapping', ['ratio'], []],
    ['network', 'partition', ['ratio', 'pulse', 'failFirst', 'rampMs'], []],
  ] as const)('on %s %s takes %j and matches %j', (service, type, modifiers, kinds) => {
    const declared = findFaultType(type);
    expect(declared && modifiersOf(declared, service)).toEqual(modifiers);
    expect(declared && matchKindsOf(declared, service)).toEqual(kinds);
  });

  it('knows a rhythm for the default parameters of each type that declares one', () => {
    for (const { rhythm, params } of FAULT_TYPES) {
      if (!rhythm) continue;
      const { activeMs, dormantMs } = rhythm(params.parse({}));
      expect(Math.min(activeMs, dormantMs)).toBeGreaterThan(0);
    }
  });
});
