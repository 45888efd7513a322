import { describe, expect, it } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import { HeldFault } from './held-fault.ts';
import { planFault } from './plan-fault.ts';

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
  ])('refuses on %s %s a modifier that means nothing there', (service, type, modifiers, field) => {
    expect(refusal({ service, type, ...modifiers })).toMatchObject({
      field,
      allowed: `absent: ${type} does not take it`,
    });
  });
});
