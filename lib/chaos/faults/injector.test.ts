import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { FaultEndReason, FaultSpec } from './fault.ts';
import { FaultInjector, type FaultInjectorOptions } from './injector.ts';

const call = { kind: 'GET' };

function makeFault(overrides: Partial<FaultSpec> = {}): FaultSpec {
  const base = {
    id: 'f1',
    version: 1,
    service: 'redis',
    type: 'latency',
    params: {},
    ratio: 1,
    seed: 7,
  } as const;
  return { ...base, ttlMs: 60_000, ...overrides };
}

function makeInjector(options: Partial<FaultInjectorOptions> = {}) {
  const clock = new ManualClock();
  const injector = new FaultInjector({ clock, ...options });
  const ended: { id: string; reason: FaultEndReason }[] = [];
  injector.on('ended', ({ fault, reason }) => ended.push({ id: fault.id, reason }));
  return { clock, injector, ended };
}

/** An effect that finishes when told, and says what it was asked to do, in order. */
function makeSlowEffect() {
  const asked: string[] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const step = (name: string) => () => {
    asked.push(name);
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    return gate.promise;
  };
  const finish = async () => {
    gates.shift()?.resolve();
    await turn();
  };
  const fail = async (error: Error) => {
    gates.shift()?.reject(error);
    await turn();
  };
  return { asked, finish, fail, effect: { arm: step('arm'), change: step('change'), end: step('end') } };
}

describe('FaultInjector', () => {
  describe('lease', () => {
    it('ends a fault when its TTL has run, and not before', async () => {
      const { clock, injector, ended } = makeInjector();
      await injector.arm(makeFault({ ttlMs: 60_000 }));
      clock.advance(59_999);
      expect(injector.decide('redis', call)?.fault.id).toBe('f1');
      clock.advance(1);
      expect(injector.decide('redis', call)).toBeUndefined();
      await turn();
      expect(ended).toEqual([{ id: 'f1', reason: 'expired' }]);
      expect(injector.all()).toEqual([]);
    });

    it('is neither lengthened nor shortened by a step of the wall clock', async () => {
      const { clock, injector, ended } = makeInjector();
      await injector.arm(makeFault({ ttlMs: 10_000 }));
      clock.stepWall(-3_600_000);
      clock.advance(9_999);
      expect(injector.all()).toHaveLength(1);
      clock.stepWall(7_200_000);
      expect(injector.all()).toHaveLength(1);
      clock.advance(1);
      await turn();
      expect(ended).toEqual([{ id: 'f1', reason: 'expired' }]);
    });

    it('decides nothing past its end even while the timer is late', async () => {
      const clock = new ManualClock();
      let skewMs = 0;
      const injector = new FaultInjector({
        clock: {
          now: () => clock.now(),
          after: (ms, callback) => clock.after(ms, callback),
          monotonicMs: () => clock.monotonicMs() + skewMs,
        },
      });
      await injector.arm(makeFault({ ttlMs: 1000 }));
      skewMs = 1000; // a busy loop: time has passed, no timer has run
      expect(injector.decide('redis', call)).toBeUndefined();
    });

    it.each([0, -1, Number.NaN, 900_001])('refuses a TTL of %s and stays as it was', async (ttlMs) => {
      const { clock, injector, ended } = makeInjector();
      await expect(injector.arm(makeFault({ ttlMs }))).rejects.toMatchObject({ code: 'INVALID_FAULT' });
      expect(injector.all()).toEqual([]);
      await injector.arm(makeFault({ id: 'f2', ttlMs: 1000 }));
      await expect(injector.change(makeFault({ id: 'f2', version: 2, ttlMs }))).rejects.toMatchObject({
        code: 'INVALID_FAULT',
      });
      clock.advance(1000); // the lease of the fault survived the refused change
      await turn();
      expect(ended).toEqual([{ id: 'f2', reason: 'expired' }]);
    });

    it('runs from the last change', async () => {
      const { clock, injector } = makeInjector();
      await injector.arm(makeFault({ ttlMs: 1000 }));
      clock.advance(900);
      await injector.change(makeFault({ version: 2, ttlMs: 1000 }));
      clock.advance(999);
      expect(injector.decide('redis', call)).toBeDefined();
      clock.advance(1);
      expect(injector.decide('redis', call)).toBeUndefined();
    });
  });

  describe('owner', () => {
    it('ends every fault after 3 s of silence, and a heartbeat lengthens no TTL', async () => {
      const { clock, injector, ended } = makeInjector();
      injector.heartbeat('run-1');
      await injector.arm(makeFault({ id: 'a', ttlMs: 2500 }));
      await injector.arm(makeFault({ id: 'b', service: 'yolo26' }));
      clock.advance(2000);
      injector.heartbeat('run-1');
      clock.advance(2999);
      await turn();
      expect(ended).toEqual([{ id: 'a', reason: 'expired' }]);
      clock.advance(1);
      await turn();
      expect(ended.at(-1)).toEqual({ id: 'b', reason: 'control_lost' });
    });

    it('ends every fault of an earlier run when another run answers, and keeps its own', async () => {
      const { clock, injector, ended } = makeInjector();
      injector.heartbeat('run-1');
      await injector.arm(makeFault({ id: 'a' }));
      injector.heartbeat('run-2');
      await injector.arm(makeFault({ id: 'b' }));
      injector.heartbeat('run-2');
      await turn();
      expect(ended).toEqual([{ id: 'a', reason: 'control_lost' }]);
      expect(injector.all().map((fault) => fault.id)).toEqual(['b']);
      clock.advance(3000);
      await turn();
      expect(injector.all()).toEqual([]);
    });
  });

  describe('decide', () => {
    const verdicts = (injector: FaultInjector, count: number, healthCheck = false) =>
      Array.from({ length: count }, () => injector.decide('redis', { ...call, healthCheck }) !== undefined);

    it('gives the same verdicts for the same seed and calls, whatever else is armed', async () => {
      const one = makeInjector().injector;
      const two = makeInjector().injector;
      await one.arm(makeFault({ ratio: 0.3 }));
      await two.arm(makeFault({ id: 'other', type: 'timeout', ratio: 0, seed: 99 }));
      await two.arm(makeFault({ id: 'again', ratio: 0.3 }));
      const first = verdicts(one, 200);
      expect(verdicts(two, 200)).toEqual(first);
      expect(first.filter(Boolean).length).toBeGreaterThan(40);
      expect(first.filter(Boolean).length).toBeLessThan(80);
    });

    it('gives other verdicts for another seed', async () => {
      const one = makeInjector().injector;
      const two = makeInjector().injector;
      await one.arm(makeFault({ ratio: 0.5, seed: 1 }));
      await two.arm(makeFault({ ratio: 0.5, seed: 2 }));
      expect(verdicts(one, 64)).not.toEqual(verdicts(two, 64));
    });

    it('numbers health checks apart, so that they shift no verdict of the work', async () => {
      const one = makeInjector().injector;
      const two = makeInjector().injector;
      await one.arm(makeFault({ ratio: 0.5 }));
      await two.arm(makeFault({ ratio: 0.5 }));
      const plain = verdicts(one, 50);
      const mixed: boolean[] = [];
      for (let n = 0; n < 50; n++) {
        verdicts(two, 3, true);
        mixed.push(...verdicts(two, 1));
      }
      expect(mixed).toEqual(plain);
    });

    it('keeps its numbering across a change of strength', async () => {
      const one = makeInjector().injector;
      const two = makeInjector().injector;
      await one.arm(makeFault({ ratio: 0.5 }));
      await two.arm(makeFault({ ratio: 0.5 }));
      const plain = verdicts(one, 40);
      const before = verdicts(two, 20);
      await two.change(makeFault({ ratio: 0.5, version: 2, params: { latencyMs: 9 } }));
      expect([...before, ...verdicts(two, 20)]).toEqual(plain);
    });

    it.each([
      [0, 0],
      [1, 100],
    ])('with ratio %s hits %s of 100 calls', async (ratio, hits) => {
      const { injector } = makeInjector();
      await injector.arm(makeFault({ ratio }));
      expect(verdicts(injector, 100).filter(Boolean)).toHaveLength(hits);
      expect(injector.activity()).toMatchObject([{ hits, seen: 100 }]);
    });

    it('lets the fault armed first win, and counts the call for every fault that matches', async () => {
      const { injector } = makeInjector();
      await injector.arm(makeFault({ id: 'a', type: 'timeout' }));
      await injector.arm(makeFault({ id: 'b', type: 'latency' }));
      expect(injector.decide('redis', call)?.fault.id).toBe('a');
      expect(injector.activity()).toMatchObject([
        { id: 'a', hits: 1, seen: 1 },
        { id: 'b', hits: 0, seen: 1 },
      ]);
    });

    it('asks only the types it is given', async () => {
      const { injector } = makeInjector();
      await injector.arm(makeFault({ id: 'a', type: 'timeout' }));
      await injector.arm(makeFault({ id: 'b', type: 'latency' }));
      expect(injector.decide('redis', call, ['latency'])?.fault.id).toBe('b');
      expect(injector.decide('redis', call, ['packet_loss'])).toBeUndefined();
    });

    it.each([
      [{ command: 'evalsha' }, { command: 'EVALSHA' }, true],
      [{ command: 'evalsha' }, { command: 'PING' }, false],
      [{ command: 'get' }, {}, false],
      [{ route: '/detect', file: '.jpg' }, { route: '/detect/batch', file: 'a.JPG' }, true],
      [{ route: '/detect', file: '.jpg' }, { route: '/detect/batch' }, false],
      [{ sql: 'insert into events' }, { sql: 'INSERT INTO events VALUES (1)' }, true],
    ])('matches %j against %j: %s', async (match, info, hit) => {
      const { injector } = makeInjector();
      await injector.arm(makeFault({ match }));
      expect(injector.decide('redis', { ...call, ...info }) !== undefined).toBe(hit);
      expect(injector.activity()[0]?.seen).toBe(hit ? 1 : 0);
    });

    it('counts hits by kind, and kinds beyond 64 together', async () => {
      const { injector } = makeInjector();
      await injector.arm(makeFault());
      for (let n = 0; n < 100; n++) injector.decide('redis', { kind: `K${n}` });
      const hitsByKind = injector.activity()[0]?.hitsByKind ?? {};
      expect(Object.keys(hitsByKind)).toHaveLength(65);
      expect(hitsByKind['other']).toBe(36);
    });
  });

  describe('order', () => {
    it('ends a fault that is still being armed only after it is in force, and tells the one who arms it', async () => {
      const { asked, finish, effect } = makeSlowEffect();
      const { injector, ended } = makeInjector({ effect });
      const arming = injector.arm(makeFault());
      const told = expect(arming).rejects.toMatchObject({ code: 'FAULT_NOT_FOUND' });
      const ending = injector.end('f1', 'halted');
      await turn();
      expect(asked).toEqual(['arm']);
      await finish();
      expect(asked).toEqual(['arm', 'end']);
      await finish();
      await told;
      await expect(ending).resolves.toMatchObject({ id: 'f1' });
      expect(ended).toEqual([{ id: 'f1', reason: 'halted' }]);
      expect(injector.all()).toEqual([]);
    });

    it('ends after a change that is under way, and drops one that comes later', async () => {
      const { asked, finish, effect } = makeSlowEffect();
      const { injector } = makeInjector({ effect });
      const arming = injector.arm(makeFault());
      await finish();
      await arming;
      const changing = injector.change(makeFault({ version: 2 }));
      const ending = injector.end('f1', 'stopped');
      await expect(injector.change(makeFault({ version: 3 }))).rejects.toMatchObject({
        code: 'FAULT_NOT_FOUND',
      });
      await finish();
      expect(asked).toEqual(['arm', 'change', 'end']);
      await finish();
      await Promise.all([changing, ending]);
    });

    it('skips a change that waited while its fault was ended', async () => {
      const { asked, finish, effect } = makeSlowEffect();
      const { injector } = makeInjector({ effect });
      const arming = injector.arm(makeFault());
      const told = expect(arming).rejects.toMatchObject({ code: 'FAULT_NOT_FOUND' });
      const changing = injector.change(makeFault({ version: 2 }));
      const ending = injector.end('f1', 'stopped');
      await finish();
      expect(asked).toEqual(['arm', 'end']);
      await finish();
      await Promise.all([told, changing, ending]);
    });

    it('answers everybody who ends a fault only when its effect is gone', async () => {
      const { asked, finish, effect } = makeSlowEffect();
      const { injector } = makeInjector({ effect });
      const arming = injector.arm(makeFault());
      await finish();
      await arming;
      const settled = vi.fn();
      void injector.end('f1', 'stopped').then(settled);
      void injector.end('f1', 'halted').then(settled);
      await turn();
      expect(settled).not.toHaveBeenCalled();
      expect(injector.decide('redis', call)).toBeUndefined();
      expect(injector.active('redis')).toEqual([]);
      await expect(injector.arm(makeFault())).rejects.toMatchObject({ code: 'FAULT_EXISTS' });
      await finish();
      expect(settled).toHaveBeenCalledTimes(2);
      expect(asked).toEqual(['arm', 'end']);
    });

    it('does not arm what its effect refuses', async () => {
      const { fail, effect, asked } = makeSlowEffect();
      const { injector, ended } = makeInjector({ effect });
      const arming = injector.arm(makeFault());
      const ending = injector.end('f1', 'stopped');
      const refused = expect(arming).rejects.toThrow('no such device');
      await fail(new Error('no such device'));
      await refused;
      await ending;
      expect(asked).toEqual(['arm']);
      expect(ended).toEqual([]);
      expect(injector.all()).toEqual([]);
    });

    it('is as before after a change that its effect refuses', async () => {
      const { clock, injector, ended } = makeInjector({
        effect: {
          arm: () => {},
          change: () => {
            throw new Error('too strong');
          },
          end: () => {},
        },
      });
      await injector.arm(makeFault({ ttlMs: 1000, ratio: 1 }));
      clock.advance(400);
      await expect(injector.change(makeFault({ version: 2, ttlMs: 60_000, ratio: 0 }))).rejects.toThrow(
        'too strong',
      );
      expect(injector.all()).toMatchObject([{ version: 1, ratio: 1 }]);
      clock.advance(600);
      await turn();
      expect(ended).toEqual([{ id: 'f1', reason: 'expired' }]);
    });

    it('ignores an older version and refuses another type under the same id', async () => {
      const { injector } = makeInjector();
      await injector.arm(makeFault({ version: 5 }));
      await injector.change(makeFault({ version: 5, ratio: 0.1 }));
      expect(injector.all()).toMatchObject([{ version: 5, ratio: 1 }]);
      await expect(injector.change(makeFault({ version: 6, type: 'timeout' }))).rejects.toMatchObject({
        code: 'INVALID_FAULT',
      });
    });

    it('keeps a fault listed whose end fails, decides nothing by it, and tries again until it is gone', async () => {
      let broken = true;
      const { clock, injector, ended } = makeInjector({
        effect: {
          arm: () => {},
          change: () => {},
          end: () => {
            if (broken) throw new Error('still there');
          },
        },
      });
      const failed: unknown[] = [];
      injector.on('effectFailed', ({ error }) => failed.push(error));
      await injector.arm(makeFault());
      await expect(injector.end('f1', 'stopped')).rejects.toThrow('still there');
      expect(failed).toHaveLength(1);
      expect(injector.all()).toHaveLength(1);
      expect(injector.decide('redis', call)).toBeUndefined();
      broken = false;
      clock.advance(1000);
      await turn();
      expect(ended).toEqual([{ id: 'f1', reason: 'stopped' }]);
      expect(injector.all()).toEqual([]);
    });

    it('is not disturbed by a listener that throws', async () => {
      const warned = new Promise((resolve) => process.once('warning', resolve));
      const { injector, ended } = makeInjector();
      injector.prependListener('ended', () => {
        throw new Error('observer');
      });
      await injector.arm(makeFault());
      await injector.end('f1', 'stopped');
      expect(ended).toHaveLength(1);
      await expect(warned).resolves.toMatchObject({ message: 'observer' });
    });
  });

  it('gives the activity at the end, and undefined for an id it does not know', async () => {
    const { injector } = makeInjector();
    await injector.arm(makeFault());
    injector.decide('redis', call);
    injector.recordHit('f1', 'reset');
    injector.warn('f1', 'acting on TCP only');
    await expect(injector.end('f1', 'stopped')).resolves.toEqual({
      id: 'f1',
      hits: 2,
      hitsByKind: { GET: 1, reset: 1 },
      seen: 1,
      warning: 'acting on TCP only',
    });
    await expect(injector.end('f1', 'stopped')).resolves.toBeUndefined();
  });

  it('ends everything when it is closed', async () => {
    const { injector, ended } = makeInjector();
    injector.heartbeat('run-1');
    await injector.arm(makeFault({ id: 'a' }));
    await injector.arm(makeFault({ id: 'b', service: 'gpu' }));
    await injector.close();
    expect(ended).toEqual([
      { id: 'a', reason: 'injector_lost' },
      { id: 'b', reason: 'injector_lost' },
    ]);
  });

  it.each(['silenceMs', 'maxTtlMs'])('refuses %s of 0', (name) => {
    expect(() => new FaultInjector({ [name]: 0 })).toThrow(RangeError);
  });
});
