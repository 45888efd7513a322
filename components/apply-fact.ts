import type { Fact } from '#lib/protocol/facts.ts';
import type { State } from '#lib/protocol/state.ts';

/**
 * Puts a transition into the state before the next state arrives: a fact is told at once, the state every 500 ms.
 * Facts that the state already contains (by `seq`) change nothing.
 */
export function applyFact(state: State, fact: Fact): State {
  if (fact.seq <= state.seq) return state;
  switch (fact.type) {
    case 'halted':
      return { ...state, halted: { at: fact.at, by: fact.data.by, reason: fact.data.reason } };
    case 'resumed':
      return { ...state, halted: null };
    case 'modeChanged': {
      const { to, from, causes } = fact.data;
      const pipeline = state.pipeline && {
        ...state.pipeline,
        mode: { ...state.pipeline.mode, mode: to, previous: from, since: fact.at, causes },
      };
      return { ...state, mode: to, modeCause: causes, pipeline };
    }
    case 'breakerChanged': {
      if (!state.pipeline) return state;
      const breakers = state.pipeline.breakers.map((breaker) =>
        breaker.name === fact.data.breaker
          ? { ...breaker, state: fact.data.to, since: fact.at, failures: fact.data.failures, trials: 0 }
          : breaker,
      );
      return { ...state, pipeline: { ...state.pipeline, breakers } };
    }
    default:
      return state;
  }
}
