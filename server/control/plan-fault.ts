import { randomInt } from 'node:crypto';
import { injectorFor } from '../../lib/chaos/faults/catalogue.ts';
import { PRESETS, type Preset } from '../../lib/chaos/faults/presets.ts';
import { validateFault } from '../../lib/chaos/faults/validate.ts';
import { type StartFault, startFaultSchema, TTL_DEFAULT_MS } from '../../lib/protocol/faults.ts';
import type { PlannedFault } from './held-fault.ts';
import { invalidInput, parseInput } from './problem.ts';

/**
 * Completes a request from the catalogue.
 * @throws {InvalidFaultError | Refusal} naming the field at fault
 */
export function planFault(input: unknown): PlannedFault {
  const request: StartFault = parseInput(startFaultSchema, input);
  const { service, type, params } = validateFault(request.service, request.type, request.params);
  return {
    service,
    type,
    params,
    ratio: request.ratio ?? type.defaultRatio ?? 1,
    seed: request.seed ?? randomInt(2 ** 32),
    match: request.match,
    ttlMs: request.ttlMs ?? TTL_DEFAULT_MS,
    injector: injectorFor(service, type),
  };
}

/** @throws {Refusal} INVALID_INPUT naming the presets there are */
export function findPreset(name: string): Preset {
  const preset = PRESETS.find((each) => each.name === name);
  if (preset) return preset;
  throw invalidInput('name', name, `one of ${PRESETS.map((each) => each.name).join(', ')}`);
}

export function planPreset(preset: Preset, ttlMs: number | undefined): PlannedFault[] {
  return preset.faults.map((fault) => planFault({ ...fault, ttlMs: ttlMs ?? TTL_DEFAULT_MS }));
}
