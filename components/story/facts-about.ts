import type { Fact } from '#lib/protocol/facts.ts';
import type { ServiceName } from '#lib/protocol/faults.ts';
import { partsOf } from '../services/service-parts.ts';
import { faultsReaching } from '../services/service-view.ts';

/**
 * The facts that concern one service: faults that reach it, its breaker, health, process, queues' dead letters, and the
 * halts, which end everything. Ascending, as given.
 */
export function factsAbout(service: ServiceName, facts: readonly Fact[]): Fact[] {
  const parts = partsOf(service);
  /** Faults that reach it, so that their end is told as well. */
  const faultIds = new Set<string>();
  return facts.filter((fact) => {
    switch (fact.type) {
      case 'faultStarted':
      case 'faultChanged': {
        const { fault } = fact.data;
        if (faultsReaching(service, [fault]).length === 0) return false;
        faultIds.add(fault.id);
        return true;
      }
      case 'faultEnded':
        return faultIds.has(fact.data.faultId) || fact.data.service === service;
      case 'leaseWarning':
        return faultIds.has(fact.data.faultId);
      case 'breakerChanged':
        return fact.data.breaker === parts.breaker;
      case 'serviceChanged':
      case 'alert':
      case 'afterEffect':
        return fact.data.service === service;
      case 'modeChanged':
        return fact.data.causes.some((cause) => cause.service === service);
      case 'processChanged':
        return fact.data.process === parts.process;
      case 'agentChanged':
        return fact.data.agent === parts.process;
      case 'deadLettered':
        return (
          fact.data.faultIds.some((id) => faultIds.has(id)) ||
          parts.queues.some((queue) => queue === fact.data.queue)
        );
      case 'deadLetterTask':
        return parts.queues.some((queue) => queue === fact.data.task.queue);
      case 'halted':
      case 'resumed':
        return true;
      default:
        return false;
    }
  });
}
