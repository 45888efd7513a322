import { SERVICE_NAMES, type ServiceName } from '../chaos/faults/fault.ts';
import type { Fact, FactType } from './facts.ts';

/** A record, so that a new type cannot be forgotten here. */
const EVERY_TYPE: Record<FactType, true> = {
  faultStarted: true,
  faultChanged: true,
  faultEnded: true,
  leaseWarning: true,
  halted: true,
  resumed: true,
  modeChanged: true,
  breakerChanged: true,
  serviceChanged: true,
  deadLettered: true,
  deadLetterRedriven: true,
  deadLetterPurged: true,
  deadLetterTask: true,
  ledgerChanged: true,
  alert: true,
  afterEffect: true,
  processChanged: true,
  agentChanged: true,
  operatorChanged: true,
  loopLag: true,
  controlStarted: true,
  note: true,
};

/** Every type of fact, in the order in which filters offer them. */
export const FACT_TYPES = Object.keys(EVERY_TYPE) as readonly FactType[];

/** Services that facts are told about. */
export const FACT_SERVICES: readonly ServiceName[] = SERVICE_NAMES;

/** An empty list lets everything through. */
export interface FactFilter {
  types: readonly FactType[];
  services: readonly ServiceName[];
  /** Only facts that name this fault. */
  faultId: string | null;
}

export const FACT_FILTER_NONE: FactFilter = { types: [], services: [], faultId: null };

/** Whether a fact passes all three parts of a filter. */
export function passesFilter(fact: Fact, { types, services, faultId }: FactFilter): boolean {
  if (types.length > 0 && !types.includes(fact.type)) return false;
  if (faultId !== null && !faultIdsOf(fact).includes(faultId)) return false;
  return services.length === 0 || servicesOf(fact).some((name) => services.includes(name));
}

/** The services that a fact is about; none of a note, a lag, an operator. */
export function servicesOf(fact: Fact): ServiceName[] {
  switch (fact.type) {
    case 'faultStarted':
    case 'faultChanged':
      return [fact.data.fault.service];
    case 'faultEnded':
    case 'serviceChanged':
    case 'afterEffect':
      return [fact.data.service];
    case 'leaseWarning':
      return known([fact.subject]);
    case 'breakerChanged':
      return known([fact.data.breaker]);
    case 'modeChanged':
      return fact.data.causes.map((cause) => cause.service);
    case 'alert':
      return fact.data.service ? [fact.data.service] : [];
    case 'processChanged':
      return known([fact.data.process]);
    case 'halted':
      return fact.data.receipt.faults.map((fault) => fault.service);
    default:
      return [];
  }
}

/** The faults that a fact names. */
export function faultIdsOf(fact: Fact): string[] {
  switch (fact.type) {
    case 'faultStarted':
    case 'faultChanged':
      return [fact.data.fault.id];
    case 'faultEnded':
    case 'leaseWarning':
      return [fact.data.faultId];
    case 'afterEffect':
      return fact.data.faultId ? [fact.data.faultId] : [];
    case 'deadLettered':
      return fact.data.faultIds;
    case 'deadLetterTask':
      return fact.data.task.faultId === null ? [] : [fact.data.task.faultId];
    case 'halted':
      return fact.data.receipt.faults.map((fault) => fault.faultId);
    default:
      return [];
  }
}

function known(names: readonly string[]): ServiceName[] {
  return FACT_SERVICES.filter((name) => names.includes(name));
}
