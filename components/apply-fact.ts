import type { Fact } from '#lib/protocol/facts.ts';
import type { State } from '#lib/protocol/state.ts';

/** A report of the pipeline older than this says nothing of the present, ms. */
const REPORT_FRESH_MS = 2_000;

/**
 * Puts a transition into a state that does not contain it: a fact is told at once, the state every 500 ms.
 * Facts that it already contains change nothing.
 */
export function applyFact(state: State, fact: Fact): State {
  if (!isNewer(fact, state)) return state;
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

/**
 * By `seq`; but mode and breakers stand in the pipeline's report, and the newest one can be from before a fact that the
 * state knows: without that fact the page would go back to what was, and forth again with the next report.
 */
function isNewer(fact: Fact, { at, seq, pipeline }: State): boolean {
  const isReported = fact.type === 'modeChanged' || fact.type === 'breakerChanged';
  if (isReported && pipeline && pipeline.ageMs <= REPORT_FRESH_MS) return fact.at > at - pipeline.ageMs;
  return fact.seq > seq;
}
