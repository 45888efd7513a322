import { randomInt } from 'node:crypto';
import { injectorFor } from '../../lib/chaos/faults/catalogue.ts';
import type { FaultType } from '../../lib/chaos/faults/define.ts';
import { type FaultModifier, modifiersOf } from '../../lib/chaos/faults/modifiers.ts';
import { PRESETS, type Preset } from '../../lib/chaos/faults/presets.ts';
import { InvalidFaultError, validateFault } from '../../lib/chaos/faults/validate.ts';
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
    modifiers: chooseModifiers(request, type),
    ttlMs: request.ttlMs ?? TTL_DEFAULT_MS,
    injector: injectorFor(service, type),
  };
}

const MODIFIERS: readonly FaultModifier[] = ['pulse', 'failFirst', 'rampMs'];

/** @throws {InvalidFaultError} naming a modifier that makes no sense for the type */
function chooseModifiers(request: StartFault, type: FaultType): PlannedFault['modifiers'] {
  const fitting = modifiersOf(type);
  for (const name of MODIFIERS) {
    if (request[name] !== undefined && !fitting.includes(name)) {
      throw new InvalidFaultError(name, request[name], `absent: ${type.type} does not take it`);
    }
  }
  const { pulse, failFirst, rampMs } = request;
  return { ...(pulse && { pulse }), ...(failFirst && { failFirst }), ...(rampMs && { rampMs }) };
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
