import { FACT_SERVICES, FACT_TYPES, type FactFilter, passesFilter } from '#lib/protocol/fact-filter.ts';
import type { Fact } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import { inSentence } from '../faults/fault-words.ts';
import { timeOfDay } from '../visual/quantity.ts';

export interface FactSelection {
  /** Newest first. */
  shown: Fact[];
  /** In the window, but kept out by the filter. */
  hidden: number;
}

/** The facts of a window that pass a filter. */
export function selectFacts(
  facts: readonly Fact[],
  { fromAt, toAt }: { fromAt: number; toAt: number },
  filter: FactFilter,
): FactSelection {
  const inside = facts.filter((fact) => fact.at >= fromAt && fact.at <= toAt);
  const shown = inside.filter((fact) => passesFilter(fact, filter)).reverse();
  return { shown, hidden: inside.length - shown.length };
}

/** The faults that a window's facts start or that were in force before, newest first, for the filter to offer. */
export function faultsOf(
  facts: readonly Fact[],
  standing: readonly Fault[],
): { id: string; words: string }[] {
  const faults = new Map(standing.map((fault) => [fault.id, fault]));
  for (const fact of facts) if (fact.type === 'faultStarted') faults.set(fact.data.fault.id, fact.data.fault);
  return [...faults.values()]
    .sort((a, b) => b.startedAt - a.startedAt)
    .map((fault) => ({
      id: fault.id,
      words: `${fault.service} ${inSentence(fault.title)}, ${timeOfDay(fault.startedAt)}`,
    }));
}

/** `breakerChanged` as `breaker changed`. */
export function typeWords(type: string): string {
  return type.replace(/([A-Z])/g, ' $1').toLowerCase();
}

/** Reads `?type=&service=&fault=`. */
export function readFilter(query: URLSearchParams): { filter: FactFilter; problem: string | null } {
  const type = query.get('type');
  const service = query.get('service');
  const types = FACT_TYPES.filter((each) => each === type);
  const services = FACT_SERVICES.filter((each) => each === service);
  const problems = [
    type !== null && types.length === 0 && `type=${type.slice(0, 40)} is no type of fact`,
    service !== null && services.length === 0 && `service=${service.slice(0, 40)} is no service`,
  ];
  return {
    filter: { types, services, faultId: query.get('fault')?.slice(0, 100) || null },
    problem: problems.filter(Boolean).join('; ') || null,
  };
}
