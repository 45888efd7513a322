import { describe, expect, it } from 'vitest';
import type { Catalogue, Fault } from '#lib/protocol/faults.ts';
import { presetFaults, presetService, switchState } from './switch-state.ts';

const catalogue: Catalogue = {
  services: [],
  types: [
    {
      type: 'intermittent',
      title: 'Intermittent',
      description: '',
      plane: 'protocol',
      services: ['redis'],
      defaultRatio: 0.5,
      modifiers: {},
      params: {},
      promises: [],
    },
  ],
  presets: [],
  ttl: { minMs: 1_000, defaultMs: 60_000, maxMs: 900_000 },
};
const preset: Catalogue['presets'][number] = {
  name: 'redis_intermittent',
  title: '30 % fail',
  description: '',
  faults: [{ service: 'redis', type: 'intermittent', ratio: 0.3 }],
};
function makeFault(overrides: Partial<Fault> = {}): Fault {
  return {
    id: 'f1',
    version: 1,
    service: 'redis',
    type: 'intermittent',
    title: 'Intermittent',
    params: {},
    ratio: 0.3,
    seed: 1,
    ttlMs: 60_000,
    leftMs: 60_000,
    owner: { name: 'Ana', kind: 'browser' },
    startedAt: 0,
    expiresAt: 60_000,
    plane: 'protocol',
    injector: 'proxy',
    armedInMs: 2,
    hits: 0,
    hitsByKind: {},
    seen: 0,
    ...overrides,
  };
}

describe('switchState', () => {
  it('shows what is observed, and a command only until it is', () => {
    expect(switchState(false, 'arming')).toBe('arming');
    expect(switchState(true, 'arming')).toBe('on');
    expect(switchState(true, 'clearing')).toBe('clearing');
    expect(switchState(false, 'clearing')).toBe('off');
    expect(switchState(false, undefined)).toBe('off');
  });
});

describe('presetFaults', () => {
  it('is not on while the same type runs at another strength', () => {
    expect(presetFaults(preset, [makeFault()], catalogue)).toHaveLength(1);
    expect(presetFaults(preset, [makeFault({ ratio: 0.5 })], catalogue)).toBeUndefined();
  });

  it('stays on when the strength of the faults it started is changed', () => {
    const changed = makeFault({ ratio: 0.8, preset: 'redis_intermittent' });
    expect(presetFaults(preset, [changed], catalogue)).toEqual([changed]);
  });

  it('needs all faults of a compound preset', () => {
    const compound = {
      ...preset,
      faults: [...preset.faults, { service: 'yolo26' as const, type: 'timeout' }],
    };
    expect(presetFaults(compound, [makeFault()], catalogue)).toBeUndefined();
    expect(presetService(compound)).toBeUndefined();
    expect(presetService(preset)).toBe('redis');
  });
});
