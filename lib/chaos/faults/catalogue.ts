import type { FaultType } from './define.ts';
import type { InjectorName, ServiceName } from './fault.ts';
import { loadFaultTypes } from './load-fault-types.ts';

/** Every fault type, in the order in which they are offered: the files of the folder `types`. */
export const FAULT_TYPES: readonly FaultType[] = await loadFaultTypes(new URL('./types/', import.meta.url));

const BY_NAME: ReadonlyMap<string, FaultType> = new Map(
  FAULT_TYPES.map((declared) => [declared.type, declared]),
);

export function findFaultType(type: string): FaultType | undefined {
  return BY_NAME.get(type);
}

export function faultTypesFor(service: ServiceName): readonly FaultType[] {
  return FAULT_TYPES.filter((declared) => declared.services.includes(service));
}

/** The process in which a fault acts: the proxies, except for what happens inside a process. */
export function injectorFor(service: ServiceName, type: FaultType): InjectorName {
  if (type.injector) return type.injector;
  if (service === 'gpu') return 'inference';
  return 'proxy';
}
