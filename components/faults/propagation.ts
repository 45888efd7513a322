import type { Fact } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import { faultsOn } from '../services/service-view.ts';

/** How a fault went through the system, ms from its start; null: not (yet). */
export interface Propagation {
  serviceDownMs: number | null;
  breakerOpenMs: number | null;
  modeChangeMs: number | null;
  deadLetters: number;
}

/**
 * The stopwatch of a fault, from the facts after its start that name it or a service it acts on. With several faults
 * on, a consequence belongs to each that can have made it.
 */
export function propagation(
  facts: readonly Fact[],
  fault: Pick<Fault, 'id' | 'service' | 'params' | 'startedAt'>,
): Propagation {
  const reached: Propagation = {
    serviceDownMs: null,
    breakerOpenMs: null,
    modeChangeMs: null,
    deadLetters: 0,
  };
  const on = (service: string) => faultsOn(service, [fault]).length > 0;
  for (const fact of facts) {
    if (fact.at < fault.startedAt) continue;
    const afterMs = fact.at - fault.startedAt;
    if (fact.type === 'serviceChanged' && !fact.data.healthy && on(fact.data.service))
      reached.serviceDownMs ??= afterMs;
    if (fact.type === 'breakerChanged' && fact.data.to === 'OPEN' && on(fact.data.breaker))
      reached.breakerOpenMs ??= afterMs;
    if (
      fact.type === 'modeChanged' &&
      fact.data.to !== 'NORMAL' &&
      fact.data.causes.some((cause) => on(cause.service))
    )
      reached.modeChangeMs ??= afterMs;
    if (fact.type === 'deadLettered' && fact.data.faultIds.includes(fault.id)) reached.deadLetters++;
  }
  return reached;
}
