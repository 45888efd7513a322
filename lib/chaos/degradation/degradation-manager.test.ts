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
    const { manager, clock, answers, checked } = makeManager();
    answers.set('yolo26', 'hangs');
    const round = manager.runRound();
    await turn();
    clock.advance(1000);
    await round;
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
    const stopped = manager.stop();
    await stopped;
    expect(manager.services().find(({ name }) => name === 'yolo26')?.consecutiveFailures).toBe(1);
    clock.advance(60_000);
    await turn();
    expect(redisChecks()).toBe(2);
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

  it('refuses a service twice, one it does not know, and thresholds out of range', () => {
    const { manager } = makeManager();
    expect(() => manager.register({ name: 'redis', critical: true })).toThrow(TypeError);
    expect(() => manager.updateServiceHealth('ftp', true)).toThrow(TypeError);
    for (const wrong of [
      { failureThreshold: 0 },
      { recoveryThreshold: 0.5 },
      { intervalMs: 0 },
      { checkTimeoutMs: 0 },
    ]) {
      expect(() => new DegradationManager(wrong)).toThrow(RangeError);
    }
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
