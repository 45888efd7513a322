import { create } from 'zustand';
import type { Fact } from '#lib/protocol/facts.ts';
import {
  appendFact,
  EMPTY_FACT_LOG,
  type FactArrival,
  type FactLog,
  mergeSnapshot,
} from '../facts-reducer.ts';

export const useFacts = create<FactLog>(() => EMPTY_FACT_LOG);

export function takeSnapshotFacts(facts: readonly Fact[], gap: boolean): void {
  useFacts.setState((log) => mergeSnapshot(log, facts, gap));
}

/** Facts from before those we have; they fill no gap and make none. */
export function takeOlderFacts(facts: readonly Fact[]): void {
  useFacts.setState((log) => mergeSnapshot(log, facts, false));
}

export function takeFact(fact: Fact): FactArrival['outcome'] {
  const arrival = appendFact(useFacts.getState(), fact);
  if (arrival.outcome === 'appended') useFacts.setState(arrival.log);
  return arrival.outcome;
}
