import { beforeEach, describe, expect, it } from 'vitest';
import type { State } from '#lib/protocol/state.ts';
import { forgetState, hearState } from './heard-state.ts';

const state = { seq: 1, faults: [] } as unknown as State;
beforeEach(forgetState);

describe('the state that is heard', () => {
  it('follows the changes of a whole one', () => {
    expect(hearState({ n: 4, whole: state })).toEqual(state);
    expect(hearState({ n: 5, change: { seq: [2] } })).toEqual({ seq: 2, faults: [] });
    expect(hearState({ n: 6, change: {} })).toEqual({ seq: 2, faults: [] });
  });

  it('is unknown after a lost update until a whole one comes', () => {
    hearState({ n: 4, whole: state });
    expect(hearState({ n: 6, change: { seq: [3] } })).toBeNull();
    expect(hearState({ n: 7, change: { seq: [4] } })).toBeNull();
    expect(hearState({ n: 7, whole: { ...state, seq: 4 } })).toMatchObject({ seq: 4 });
    expect(hearState({ n: 8, change: { seq: [5] } })).toMatchObject({ seq: 5 });
  });

  it('is unknown on a new connection', () => {
    hearState({ n: 4, whole: state });
    forgetState();
    expect(hearState({ n: 5, change: { seq: [2] } })).toBeNull();
  });
});
