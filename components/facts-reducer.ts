import type { Fact } from '#lib/protocol/facts.ts';

/** How many facts a tab keeps, as many as the control process has in memory; older ones are in its files. */
export const FACTS_KEPT = 10_000;

export interface FactLog {
  /** Ascending by `seq`, without repeats. */
  readonly facts: readonly Fact[];
  /** Newest `seq` seen, 0 before the first. */
  readonly lastSeq: number;
  /** Sequence numbers after which the server could not send what was missed. */
  readonly gaps: readonly number[];
}

export const EMPTY_FACT_LOG: FactLog = { facts: [], lastSeq: 0, gaps: [] };

/** Takes the facts of a snapshot in: those already known are ignored, a gap is remembered where it lies. */
export function mergeSnapshot(log: FactLog, facts: readonly Fact[], gap: boolean): FactLog {
  const known = new Set(log.facts.map((fact) => fact.seq));
  const fresh = facts.filter((fact) => !known.has(fact.seq));
  const gaps = gap && log.lastSeq > 0 ? [...log.gaps, log.lastSeq] : log.gaps;
  if (fresh.length === 0) return gaps === log.gaps ? log : { ...log, gaps };
  const merged = [...log.facts, ...fresh].sort((a, b) => a.seq - b.seq).slice(-FACTS_KEPT);
  return { facts: merged, lastSeq: merged.at(-1)?.seq ?? log.lastSeq, gaps };
}

export type FactArrival = { log: FactLog; outcome: 'appended' | 'repeated' | 'missing' };

/**
 * Takes one fact in. `missing` says that facts before it were not received: the log stays as it was, so that the
 * next snapshot, asked for with its `lastSeq`, fills the hole in order.
 */
export function appendFact(log: FactLog, fact: Fact): FactArrival {
  if (fact.seq <= log.lastSeq) return { log, outcome: 'repeated' };
  if (log.lastSeq > 0 && fact.seq > log.lastSeq + 1) return { log, outcome: 'missing' };
  const facts = log.facts.length >= FACTS_KEPT ? log.facts.slice(1 - FACTS_KEPT) : log.facts;
  return { log: { ...log, facts: [...facts, fact], lastSeq: fact.seq }, outcome: 'appended' };
}
