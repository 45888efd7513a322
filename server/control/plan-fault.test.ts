import { describe, expect, it } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import { FaultSeeds } from './fault-seeds.ts';
import { HeldFault } from './held-fault.ts';
import { changesStrength, planFault as plan, planChange } from './plan-fault.ts';

const planFault = (request: object) => plan(request, new FaultSeeds(1));

const refusal = (request: object) => {
  try {
    planFault(request);
  } catch (error) {
    const { problem, ...own } = error as { problem?: object; field?: string; allowed?: string };
    return { ...own, ...problem };
  }
  throw new Error('Expected the request to be refused');
};

describe('planFault', () => {
  it('passes modifiers on to the injector and shows them', () => {
    const modifiers = { pulse: { activeMs: 500, dormantMs: 1500 }, failFirst: 3, rampMs: 10_000 };
    const plan = planFault({ service: 'redis', type: 'server_error', ...modifiers });
    const owner = { name: 'test', kind: 'rest' } as const;
    const held = new HeldFault(new ManualClock(), {
      id: 'f1',
      plan,
      preset: undefined,
      instanceId: undefined,
      owner,
    });
    expect(held.spec()).toMatchObject(modifiers);
    expect(held.toFault()).toMatchObject(modifiers);
    const plain = planFault({ service: 'redis', type: 'server_error' });
    expect(plain.modifiers).toEqual({});
  });

  it.each([
    ['a pulse without rest', { pulse: { activeMs: 500 } }, 'pulse.dormantMs'],
    ['a pulse that is too quick', { pulse: { activeMs: 5, dormantMs: 500 } }, 'pulse.activeMs'],
    ['no first call', { failFirst: 0 }, 'failFirst'],
    ['a part of a call', { failFirst: 1.5 }, 'failFirst'],
    ['a ramp longer than any lease', { rampMs: 900_001 }, 'rampMs'],
  ])('refuses %s', (_, modifiers, field) => {
    expect(refusal({ service: 'redis', type: 'server_error', ...modifiers })).toMatchObject({ field });
  });

  it.each([
    ['pipeline', 'process_killed', { failFirst: 2 }, 'failFirst'],
    ['network', 'bandwidth', { rampMs: 1000 }, 'rampMs'],
    ['network', 'flapping', { pulse: { activeMs: 500, dormantMs: 500 } }, 'pulse'],
    ['gpu', 'no_gpu', { ratio: 0.5 }, 'ratio'],
    ['gpu', 'unavailable', { failFirst: 2 }, 'failFirst'],
    ['network', 'dns_failure', { match: { route: '/' } }, 'match'],
    ['redis', 'timeout', { match: { command: 'GET', sql: 'SELECT' } }, 'match.sql'],
    ['yolo26', 'timeout', { match: { file: 'a.jpg' } }, 'match.file'],
  ])('refuses on %s %s a modifier that means nothing there', (service, type, modifiers, field) => {
    expect(refusal({ service, type, ...modifiers })).toMatchObject({
      field,
      allowed: `absent: ${type} on ${service} does not take it`,
    });
  });
});

describe('planChange', () => {
  const pulse = { activeMs: 500, dormantMs: 1500 };
  const latency = () =>
    planFault({
      service: 'redis',
      type: 'latency',
      params: { jitterMs: 7 },
      ratio: 0.5,
      match: { command: 'GET' },
      pulse,
      failFirst: 3,
    });
  const refused = (change: Parameters<typeof planChange>[1]) => {
    const before = latency();
    try {
      planChange(before, change);
    } catch (error) {
      expect(before).toEqual({ ...latency() }); // nothing half applied
      return error;
    }
    throw new Error('Expected the change to be refused');
  };

  it('leaves what is absent, takes away what is null, and replaces the rest', () => {
    const { params, ratio, match, modifiers } = latency();
    expect(planChange(latency(), { ttlMs: 1000 })).toEqual({ params, ratio, match, modifiers });
    expect(planChange(latency(), { match: null, pulse: null, failFirst: null, rampMs: null })).toEqual({
      params,
      ratio,
      match: undefined,
      modifiers: {},
    });
    const change = { params: { latencyMs: 9 }, ratio: 1, match: { command: 'SET' }, rampMs: 2000 };
    expect(planChange(latency(), change)).toEqual({
      params: { ...params, latencyMs: 9 },
      ratio: 1,
      match: { command: 'SET' },
      modifiers: { pulse, failFirst: 3, rampMs: 2000 },
    });
  });

  it.each([
    [
      'a parameter out of range beside a good ratio',
      { ratio: 0.9, params: { latencyMs: -1 } },
      'params.latencyMs',
    ],
    ['a match that means nothing there', { ratio: 0.9, match: { sql: 'x' } }, 'match.sql'],
  ])('refuses %s whole', (_, change, field) => {
    expect(refused(change)).toMatchObject({ code: 'INVALID_FAULT', field });
  });

  it('tells a change of what it does from one of its lease', () => {
    expect(changesStrength({ ttlMs: 1000, takeOver: true })).toBe(false);
    expect(changesStrength({ ttlMs: 1000, failFirst: null })).toBe(true);
  });
});
