import type { InjectorName } from '../../lib/chaos/faults/fault.ts';
import type { HeldFault } from './held-fault.ts';
import type { Halted } from './journal.ts';
import { Refusal } from './problem.ts';

/** Why a command about a fault is not done. */
export function unknownFault(id: string): Refusal {
  return new Refusal('FAULT_NOT_FOUND', `No fault ${id.slice(0, 64)} is active`);
}

export function alreadyActive({ type, service, id, owner }: HeldFault): Refusal {
  return new Refusal(
    'FAULT_EXISTS',
    `${type} on ${service} is already active (${id}), started by ${owner.name}`,
    { owner: owner.name },
  );
}

export function tooManyServices(max: number, broken: readonly string[]): Refusal {
  return new Refusal(
    'TOO_MANY_SERVICES',
    `FAULT_SERVICES_MAX=${max} services may be broken at once; now: ${broken.join(', ') || 'none'}`,
    { allowed: String(max) },
  );
}

export function staleVersion(held: HeldFault, version: number): Refusal {
  return new Refusal('STALE_VERSION', `The fault is at version ${held.version}, not ${version}`, {
    field: 'version',
    value: version,
    allowed: String(held.version),
  });
}

export function haltedBy({ by, reason }: Halted): Refusal {
  return new Refusal('HALTED', `Halted by ${by}${reason ? ` (${reason})` : ''}: resume first`, { owner: by });
}

export function stopping(): Refusal {
  return new Refusal('PROCESS_UNAVAILABLE', 'The control process is stopping');
}

export function unavailable(injectors: readonly InjectorName[], what: string, why?: string): Refusal {
  const names = [...new Set(injectors)];
  const detail = `${names.join(', ')} ${what}${why ? ` (${why})` : ''}`;
  return new Refusal('INJECTOR_UNAVAILABLE', detail, { injectors: names });
}
