import { randomInt } from 'node:crypto';
import { injectorFor } from '../../lib/chaos/faults/catalogue.ts';
import type { FaultType } from '../../lib/chaos/faults/define.ts';
import type { FaultSpec } from '../../lib/chaos/faults/fault.ts';
import { type FaultModifier, modifiersOf } from '../../lib/chaos/faults/modifiers.ts';
import { PRESETS, type Preset } from '../../lib/chaos/faults/presets.ts';
import { InvalidFaultError, validateFault } from '../../lib/chaos/faults/validate.ts';
import {
  type ChangeFault,
  type StartFault,
  startFaultSchema,
  TTL_DEFAULT_MS,
} from '../../lib/protocol/faults.ts';
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

/** What a change makes of a plan; the plan itself is left alone. */
export type ChangedPlan = Pick<PlannedFault, 'params' | 'ratio' | 'match' | 'modifiers'>;

/**
 * Lays a change over a plan, judged as a whole like a start, so that nothing is half applied.
 * @throws {InvalidFaultError} naming the field at fault
 */
export function planChange(plan: PlannedFault, change: ChangeFault): ChangedPlan {
  const { service, type } = plan;
  const { params } = validateFault(service, type.type, { ...plan.params, ...change.params });
  const match = change.match === undefined ? plan.match : (change.match ?? undefined);
  return {
    params,
    ratio: change.ratio ?? plan.ratio,
    match,
    modifiers: chooseModifiers({ ...plan.modifiers, ...given(change) }, type),
  };
}

/** Whether a change is about what the fault does, and not only about its lease or owner. */
export function changesStrength({ takeOver: _, ttlMs: __, ...rest }: ChangeFault): boolean {
  return Object.values(rest).some((value) => value !== undefined);
}

const MODIFIERS: readonly FaultModifier[] = ['pulse', 'failFirst', 'rampMs'];

type Modifiers = { [Name in FaultModifier]?: FaultSpec[Name] | null };

function given(change: ChangeFault): Modifiers {
  return Object.fromEntries(
    MODIFIERS.filter((name) => change[name] !== undefined).map((name) => [name, change[name]]),
  );
}

/** @throws {InvalidFaultError} naming a modifier that makes no sense for the type */
function chooseModifiers(request: Modifiers, type: FaultType): PlannedFault['modifiers'] {
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
