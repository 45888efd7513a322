import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import type { ServiceHealth as ProtocolHealth, ModeStatus as ProtocolMode } from '#lib/protocol/state.ts';
import { ManualClock } from '../clock.ts';
import { InjectedFaultError } from '../errors.ts';
import type { ServiceName } from '../faults/fault.ts';
import {
  DEGRADATION_PROFILES,
  type DegradationEvents,
  DegradationManager,
  type DegradationOptions,
  type ModeStatus,
  type ServiceHealth,
} from './degradation-manager.ts';
import { featuresOf, MODES, type Mode, oneRung, targetMode } from './mode.ts';

const down = new Error('connect ECONNREFUSED');

/** A manager over the pipeline's services, whose checks do what `answers` says. */
function makeManager(overrides: Partial<DegradationOptions> = {}) {
  const clock = new ManualClock();
  const manager = new DegradationManager({ ...DEGRADATION_PROFILES['game-day'], clock, ...overrides });
  const answers = new Map<ServiceName, Error | 'hangs'>();
  const checked = vi.fn<(name: ServiceName, signal: AbortSignal) => void>();
  for (const name of ['database', 'redis', 'yolo26', 'nemotron'] as const) {
    const check = async (signal: AbortSignal) => {
      checked(name, signal);
      const answer = answers.get(name);
      if (answer === 'hangs') await new Promise(() => {});
      if (answer instanceof Error) throw answer;
    };
    manager.register({ name, critical: name === 'database' || name === 'redis', check });
  }
  const changes: DegradationEvents['modeChanged'][0][] = [];
  manager.on('modeChanged', (change) => changes.push(change));
  const rounds = async (count: number) => {
    const modes: Mode[] = [];
    for (let n = 0; n < count; n++) {
      await manager.runRound();
      modes.push(manager.mode);
    }
    return modes;
  };
  return { manager, clock, answers, checked, changes, rounds };
}

describe('DegradationManager', () => {
  it('goes down one rung a round to OFFLINE when every critical service is down, and up one a round again', async () => {
    const { answers, changes, rounds } = makeManager();
    for (const name of ['database', 'redis'] as const) answers.set(name, down);
    expect(await rounds(5)).toEqual(['NORMAL', 'DEGRADED', 'MINIMAL', 'OFFLINE', 'OFFLINE']);
    answers.clear();
    expect(await rounds(5)).toEqual(['OFFLINE', 'MINIMAL', 'DEGRADED', 'NORMAL', 'NORMAL']);
    expect(changes.map(({ from, to }) => `${from}→${to}`)).toEqual([
      'NORMAL→DEGRADED',
      'DEGRADED→MINIMAL',
      'MINIMAL→OFFLINE',
      'OFFLINE→MINIMAL',
      'MINIMAL→DEGRADED',
      'DEGRADED→NORMAL',
    ]);
  });

  it('stops at MINIMAL with one critical service down, at DEGRADED with a non-critical one', async () => {
    const one = makeManager();
    one.answers.set('redis', down);
    expect((await one.rounds(5)).at(-1)).toBe('MINIMAL');
    const other = makeManager();
    other.answers.set('yolo26', down);
    expect((await other.rounds(5)).at(-1)).toBe('DEGRADED');
  });

  it("holds the seed's example: one critical service, threshold 2, two failures → DEGRADED", () => {
    const manager = new DegradationManager({ failureThreshold: 2, clock: new ManualClock() });
    manager.register({ name: 'database', critical: true });
    manager.updateServiceHealth('database', false, down);
    expect(manager.mode).toBe('NORMAL');
    manager.updateServiceHealth('database', false, down);
    expect(manager.mode).toBe('DEGRADED');
    expect(manager.target).toBe('OFFLINE');
  });

  it('needs consecutive failures to go down and consecutive good checks to come up', async () => {
    const { manager, answers, rounds } = makeManager();
    for (let n = 0; n < 4; n++) {
      answers.set('yolo26', down);
      await rounds(1);
      answers.clear();
      await rounds(1);
    }
    expect(manager.mode).toBe('NORMAL');
    answers.set('yolo26', down);
    await rounds(2);
    for (let n = 0; n < 4; n++) {
      answers.clear();
      await rounds(1);
      answers.set('yolo26', down);
      await rounds(1);
    }
    expect(manager.mode).toBe('DEGRADED');
    answers.clear();
    await rounds(2);
    expect(manager.mode).toBe('NORMAL');
  });

  it('names what is down with its origin, and what came back when nothing is down any more', async () => {
    const { manager, answers, changes, rounds } = makeManager();
    const services: unknown[] = [];
    manager.on('serviceChanged', ({ service, healthy, origin, error }) =>
      services.push([service, healthy, origin, error]),
    );
    answers.set('yolo26', new InjectedFaultError('f1', 'HTTP 500'));
    answers.set('nemotron', down);
    await rounds(2);
    expect(changes.at(-1)?.causes).toEqual([
      { service: 'yolo26', origin: 'injected', text: 'HTTP 500' },
      { service: 'nemotron', origin: 'organic', text: 'connect ECONNREFUSED' },
    ]);
    expect(manager.status().causes).toEqual(changes.at(-1)?.causes);
    answers.clear();
    await rounds(2);
    expect(changes.at(-1)).toMatchObject({ from: 'DEGRADED', to: 'NORMAL' });
    expect(changes.at(-1)?.causes).toEqual([
      { service: 'yolo26', origin: 'injected', text: 'yolo26 is up again' },
      { service: 'nemotron', origin: 'organic', text: 'nemotron is up again' },
    ]);
    expect(services).toEqual([
      ['yolo26', false, 'injected', 'HTTP 500'],
      ['nemotron', false, 'organic', 'connect ECONNREFUSED'],
      ['yolo26', true, 'injected', null],
      ['nemotron', true, 'organic', null],
    ]);
  });

  it('names what is still down on the way up, and in NORMAL all that came back since', async () => {
    const { answers, changes, rounds } = makeManager();
    for (const name of ['redis', 'yolo26'] as const) answers.set(name, down);
    await rounds(3);
    answers.delete('redis');
    await rounds(2);
    expect(changes.at(-1)).toMatchObject({
      from: 'MINIMAL',
      to: 'DEGRADED',
      causes: [{ service: 'yolo26' }],
    });
    answers.clear();
    await rounds(2);
    expect(changes.at(-1)).toMatchObject({
      to: 'NORMAL',
      causes: [{ service: 'redis' }, { service: 'yolo26' }],
    });
  });

  it('names only what came back from the last outage', async () => {
    const { answers, changes, rounds } = makeManager();
    for (const name of ['yolo26', 'nemotron'] as const) {
      answers.set(name, down);
      await rounds(2);
      answers.clear();
      await rounds(2);
    }
    expect(changes.at(-1)?.causes.map(({ service }) => service)).toEqual(['nemotron']);
  });

  it('moves no rung by a round that was stopped', async () => {
    const { manager, clock, answers, changes } = makeManager();
    answers.set('yolo26', 'hangs');
    manager.start();
    clock.advance(0);
    await turn();
    for (const healthy of [false, true]) {
      for (const name of ['redis', 'database'] as const) {
        for (let n = 0; n < 2; n++) manager.updateServiceHealth(name, healthy, down);
      }
    }
    expect([manager.mode, manager.target]).toEqual(['DEGRADED', 'NORMAL']);
    const told = changes.length;
    await manager.stop();
    expect(changes.slice(told)).toEqual([]);
  });

  it('takes the outcome of a check made elsewhere, with its error or a word of its own', async () => {
    const { manager, rounds } = makeManager();
    manager.register({ name: 'pubsub', critical: false });
    await rounds(1);
    const pubsub = () => manager.services().find(({ name }) => name === 'pubsub');
    expect(pubsub()).toMatchObject({ checkedAt: null, healthy: true, consecutiveFailures: 0 });
    manager.updateServiceHealth('pubsub', false, down);
    expect(pubsub()).toMatchObject({ error: 'connect ECONNREFUSED', latencyMs: null });
    manager.updateServiceHealth('pubsub', false);
    expect(pubsub()).toMatchObject({ error: 'pubsub is down', consecutiveFailures: 2, healthy: false });
  });

  it('asks `originOf` with the service', async () => {
    const { manager, answers, rounds } = makeManager({
      originOf: (_, service) => (service === 'redis' ? 'injected' : 'organic'),
    });
    answers.set('redis', down);
    answers.set('yolo26', down);
    await rounds(2);
    expect(manager.services().map(({ name, origin }) => [name, origin])).toEqual([
      ['database', null],
      ['redis', 'injected'],
      ['yolo26', 'organic'],
      ['nemotron', null],
    ]);
  });

  it('fails a check at its own deadline, tells it by the signal, and lets the others count', async () => {
    const originOf = vi.fn(() => 'organic' as const);
    const { manager, clock, answers, checked } = makeManager({ originOf });
    answers.set('yolo26', 'hangs');
    const round = manager.runRound();
    await turn();
    clock.advance(1000);
    await round;
    expect(originOf).toHaveBeenCalledWith(expect.objectContaining({ code: 'DEADLINE_EXCEEDED' }), 'yolo26');
    const signal = checked.mock.calls.find(([name]) => name === 'yolo26')?.[1];
    expect(signal?.aborted).toBe(true);
    expect(manager.services().find(({ name }) => name === 'yolo26')).toMatchObject({
      consecutiveFailures: 1,
      latencyMs: 1000,
      error: 'Check of yolo26 took longer than 1000 ms',
    });
    expect(manager.services().find(({ name }) => name === 'redis')).toMatchObject({
      healthy: true,
      latencyMs: 0,
    });
  });

  it('runs rounds by itself, from start to start, never two at once, until it is stopped', async () => {
    const { manager, clock, answers, checked } = makeManager({ intervalMs: 5000, checkTimeoutMs: 2000 });
    const redisChecks = () => checked.mock.calls.filter(([name]) => name === 'redis').length;
    answers.set('yolo26', 'hangs');
    manager.start();
    manager.start();
    clock.advance(0);
    await turn();
    expect(redisChecks()).toBe(1);
    clock.advance(2000); // the hanging check reaches its deadline, the round ends
    await turn();
    clock.advance(2999);
    await turn();
    expect(redisChecks()).toBe(1);
    clock.advance(1);
    await turn();
    expect(redisChecks()).toBe(2);
    clock.advance(2000);
    await turn();
    clock.advance(2999);
    await turn();
    expect(redisChecks()).toBe(2);
    clock.advance(1);
    await turn();
    expect(redisChecks()).toBe(3);
    await manager.stop();
    expect(manager.services().find(({ name }) => name === 'yolo26')?.consecutiveFailures).toBe(2);
    clock.advance(60_000);
    await turn();
    expect(redisChecks()).toBe(3);
  });

  it('runs no further round after it was stopped between two, and may be stopped before it starts', async () => {
    const { manager, clock, checked } = makeManager({ intervalMs: 1000 });
    await manager.stop();
    manager.start();
    clock.advance(0);
    await turn();
    expect(checked).toHaveBeenCalledTimes(4);
    await manager.stop();
    for (let n = 0; n < 3; n++) {
      clock.advance(1000);
      await turn();
    }
    expect(checked).toHaveBeenCalledTimes(4);
  });

  it('counts no check that ends while it is being stopped', async () => {
    const clock = new ManualClock();
    const manager = new DegradationManager({ clock });
    const answer = Promise.withResolvers<void>();
    manager.register({ name: 'redis', critical: true, check: () => answer.promise });
    manager.start();
    clock.advance(0);
    answer.resolve();
    await manager.stop();
    expect(manager.services()[0]?.checkedAt).toBeNull();
  });

  it('tells how long a check took, to a tenth of a millisecond, and leaves it alone once it has ended', async () => {
    const clock = new ManualClock();
    const manager = new DegradationManager({ clock });
    const signals: AbortSignal[] = [];
    const check = (signal: AbortSignal) => {
      signals.push(signal);
      return new Promise<void>((resolve) => clock.after(120.04, resolve));
    };
    manager.register({ name: 'redis', critical: true, check });
    clock.advance(500);
    manager.start();
    clock.advance(0);
    await turn();
    clock.advance(120.04);
    await turn();
    expect(manager.services()[0]).toMatchObject({ latencyMs: 120, checkedAt: clock.now() });
    await manager.stop();
    clock.advance(60_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  });

  it('joins a round that runs already', async () => {
    const { manager, checked } = makeManager();
    await Promise.all([manager.runRound(), manager.runRound()]);
    expect(checked).toHaveBeenCalledTimes(4);
  });

  it('doubles time-outs outside NORMAL and restores them', async () => {
    const { manager, answers, rounds } = makeManager();
    expect(manager.timeoutFactor).toBe(1);
    answers.set('yolo26', down);
    await rounds(2);
    expect(manager.timeoutFactor).toBe(2);
    answers.clear();
    await rounds(2);
    expect(manager.timeoutFactor).toBe(1);
  });

  it('offers what the mode and its services allow', async () => {
    const { manager, answers, rounds } = makeManager();
    expect(manager.has('analysis')).toBe(true);
    answers.set('nemotron', down);
    await rounds(2);
    expect(manager.features()).toEqual(['detection', 'events', 'media', 'ingest']);
    expect([manager.has('detection'), manager.has('analysis')]).toEqual([true, false]);
    expect([manager.isUp('nemotron'), manager.isUp('yolo26'), manager.isUp('ftp')]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('tells its state in the shape of the protocol', async () => {
    expectTypeOf<ModeStatus>().toExtend<ProtocolMode>();
    expectTypeOf<ServiceHealth>().toEqualTypeOf<ProtocolHealth>();
    const { manager, clock, answers, rounds } = makeManager();
    answers.set('redis', down);
    clock.advance(500);
    await rounds(2);
    expect(manager.status()).toEqual({
      mode: 'DEGRADED',
      since: clock.now(),
      previous: 'NORMAL',
      causes: [{ service: 'redis', origin: 'organic', text: 'connect ECONNREFUSED' }],
      features: ['detection', 'analysis', 'events', 'media', 'ingest'],
    });
    expect(manager.services()[1]).toEqual({
      name: 'redis',
      healthy: false,
      critical: true,
      consecutiveFailures: 2,
      failureThreshold: 2,
      since: clock.now(),
      checkedAt: clock.now(),
      latencyMs: 0,
      error: 'connect ECONNREFUSED',
      origin: 'organic',
    });
  });

  it('keeps analysis without the detector, and detection without the analyst', () => {
    const without = (down: string) => featuresOf('DEGRADED', (service) => service !== down);
    expect(without('yolo26')).toEqual(['analysis', 'events', 'media', 'ingest']);
    expect(without('nemotron')).toEqual(['detection', 'events', 'media', 'ingest']);
  });

  it('goes down and comes up at once with thresholds of 1', () => {
    const thresholds = { failureThreshold: 1, recoveryThreshold: 1 };
    const manager = new DegradationManager({ ...thresholds, clock: new ManualClock() });
    manager.register({ name: 'yolo26', critical: false });
    manager.updateServiceHealth('yolo26', false);
    expect(manager.mode).toBe('DEGRADED');
    manager.updateServiceHealth('yolo26', true);
    expect(manager.mode).toBe('NORMAL');
  });

  it('refuses a service twice, and one that it does not know', () => {
    const { manager } = makeManager();
    expect(() => manager.register({ name: 'redis', critical: true })).toThrow(
      new TypeError('Service redis is registered already'),
    );
    expect(() => manager.updateServiceHealth('ftp', true)).toThrow(
      new TypeError('Service ftp is not registered'),
    );
  });

  it.each([
    ['failureThreshold', 0, 'a whole number from 1'],
    ['recoveryThreshold', 0.5, 'a whole number from 1'],
    ['intervalMs', 0, 'above 0'],
    ['checkTimeoutMs', 0, 'above 0'],
  ])('refuses %s of %s', (name, value, bound) => {
    expect(() => new DegradationManager({ [name]: value })).toThrow(
      new RangeError(`Expected ${name} to be ${bound}, got ${value}`),
    );
  });
});

describe('mode', () => {
  it.each([
    ['nothing', 'NORMAL', []],
    ['a non-critical service', 'DEGRADED', ['yolo26']],
    ['one critical service', 'MINIMAL', ['redis']],
    ['a critical and a non-critical one', 'MINIMAL', ['redis', 'yolo26']],
    ['every critical service', 'OFFLINE', ['redis', 'database']],
  ] as const)('with %s down heads for %s', (_, mode, names) => {
    const services = (['redis', 'database', 'yolo26'] as const).map((name) => ({
      healthy: !(names as readonly string[]).includes(name),
      critical: name !== 'yolo26',
    }));
    expect(targetMode(services)).toBe(mode);
  });

  it('without any critical service never goes below DEGRADED', () => {
    expect(targetMode([{ healthy: false, critical: false }])).toBe('DEGRADED');
  });

  it('moves one rung', () => {
    expect(MODES.map((mode) => oneRung(mode, 'OFFLINE'))).toEqual([
      'DEGRADED',
      'MINIMAL',
      'OFFLINE',
      'OFFLINE',
    ]);
    expect(MODES.map((mode) => oneRung(mode, 'NORMAL'))).toEqual(['NORMAL', 'NORMAL', 'DEGRADED', 'MINIMAL']);
  });

  it('offers less on each rung', () => {
    const none = () => false;
    expect(MODES.map((mode) => featuresOf(mode, none))).toEqual([
      ['detection', 'analysis', 'events', 'media', 'ingest'],
      ['events', 'media', 'ingest'],
      ['media', 'ingest'],
      ['ingest'],
    ]);
  });
});
