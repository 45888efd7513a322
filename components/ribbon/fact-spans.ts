import type { Fact } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import type { BreakerState, Mode } from '#lib/protocol/state.ts';

export interface Change<T> {
  at: number;
  from: T;
  to: T;
}

/** What the facts say of the bands of the time axis; times epoch ms. */
export interface FactSpans {
  /** Faults that they start, in the order of their starts. */
  started: readonly Fault[];
  /** When a fault ended, by its id; also of those that were on before the first fact. */
  endedAt: ReadonlyMap<string, number>;
  modes: readonly Change<Mode>[];
  breakers: ReadonlyMap<string, readonly Change<BreakerState>[]>;
  /** Halts, notes and alerts. */
  marks: readonly Fact[];
}

const known = new WeakMap<readonly Fact[], FactSpans>();

/** The ribbon and every chart draw from the same facts twice a second: they are gone through once. */
export function factSpans(facts: readonly Fact[]): FactSpans {
  const spans = known.get(facts) ?? readSpans(facts);
  known.set(facts, spans);
  return spans;
}

function readSpans(facts: readonly Fact[]): FactSpans {
  const started: Fault[] = [];
  const endedAt = new Map<string, number>();
  const modes: Change<Mode>[] = [];
  const breakers = new Map<string, Change<BreakerState>[]>();
  const marks: Fact[] = [];
  for (const fact of facts) {
    switch (fact.type) {
      case 'faultStarted':
        started.push(fact.data.fault);
        break;
      case 'faultEnded':
        endedAt.set(fact.data.faultId, fact.at);
        break;
      case 'modeChanged':
        modes.push({ at: fact.at, from: fact.data.from, to: fact.data.to });
        break;
      case 'breakerChanged': {
        const change = { at: fact.at, from: fact.data.from, to: fact.data.to };
        const changes = breakers.get(fact.data.breaker);
        if (changes) changes.push(change);
        else breakers.set(fact.data.breaker, [change]);
        break;
      }
      case 'halted':
      case 'note':
      case 'alert':
        marks.push(fact);
        break;
      default:
    }
  }
  return { started, endedAt, modes, breakers, marks };
}
