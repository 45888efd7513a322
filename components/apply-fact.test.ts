import { describe, expect, it } from 'vitest';
import type { Fact } from '#lib/protocol/facts.ts';
import type { State } from '#lib/protocol/state.ts';
import { applyFact } from './apply-fact.ts';

const state: State = {
  at: 0,
  seq: 10,
  runId: 'r',
  seed: 1,
  mode: 'NORMAL',
  modeCause: [],
  halted: null,
  faults: [],
  pipeline: null,
  inference: null,
  proxy: null,
  supervisor: null,
  cameras: null,
  agents: [],
  operators: [],
  operatorCount: 0,
  backendPort: 8000,
};
const changed = (seq: number): Fact => ({
  seq,
  at: 5,
  type: 'modeChanged',
  subject: 'pipeline',
  data: {
    from: 'NORMAL',
    to: 'MINIMAL',
    causes: [{ service: 'redis', origin: 'injected', text: 'redis OPEN' }],
  },
});

describe('applyFact', () => {
  it('shows a change of mode before the next state', () => {
    const next = applyFact(state, changed(11));
    expect(next.mode).toBe('MINIMAL');
    expect(next.modeCause).toHaveLength(1);
  });

  it('ignores a fact that the state already contains', () => {
    expect(applyFact(state, changed(10))).toBe(state);
  });

  it('does not go back to a report that is older than a fact that the state knows', () => {
    const reported = { ...state, at: 1000, pipeline: { ageMs: 300, mode: {} } as State['pipeline'] };
    const at = (ms: number) => ({ ...changed(10), at: ms });
    expect(applyFact(reported, at(900)).mode).toBe('MINIMAL');
    expect(applyFact(reported, at(600))).toBe(reported);
    const silent = { ...reported, mode: null, pipeline: { ageMs: 2500, mode: {} } as State['pipeline'] };
    expect(applyFact(silent, at(900)).mode).toBeNull();
  });
});
