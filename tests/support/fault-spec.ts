import type { FaultSpec, ServiceName } from '#lib/chaos/faults/fault.ts';
import { validateFault } from '#lib/chaos/faults/validate.ts';

type Given = 'params' | 'ratio' | 'seed' | 'match' | 'pulse' | 'failFirst' | 'rampMs' | 'ttlMs';
export type FaultSpecOptions = { [Key in Given]?: FaultSpec[Key] | undefined };

/**
 * A fault of the catalogue as the control process would send it to an injector: parameters and ratio as declared
 * unless given, seed 7, a lease of a minute.
 */
export function faultSpec(
  id: string,
  service: ServiceName,
  type: string,
  options: FaultSpecOptions = {},
): FaultSpec {
  const valid = validateFault(service, type, options.params);
  const { ratio = valid.type.defaultRatio ?? 1, seed = 7, ttlMs = 60_000 } = options;
  const { match, pulse, failFirst, rampMs } = options;
  return {
    id,
    version: 1,
    service: valid.service,
    type,
    params: valid.params,
    ratio,
    seed,
    match,
    pulse,
    failFirst,
    rampMs,
    ttlMs,
  };
}
