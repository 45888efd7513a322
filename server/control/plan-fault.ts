import { injectorFor } from '../../lib/chaos/faults/catalogue.ts';
import type { FaultType } from '../../lib/chaos/faults/define.ts';
import {
  type FaultModifier,
  type FaultSpec,
  MATCH_KINDS,
  type ServiceName,
} from '../../lib/chaos/faults/fault.ts';
import { matchKindsOf, modifiersOf } from '../../lib/chaos/faults/modifiers.ts';
import { PRESETS, type Preset } from '../../lib/chaos/faults/presets.ts';
import { InvalidFaultError, validateFault } from '../../lib/chaos/faults/validate.ts';
import {
  type ChangeFault,
  type StartFault,
  startFaultSchema,
  TTL_DEFAULT_MS,
} from '../../lib/protocol/faults.ts';
import type { FaultSeeds } from './fault-seeds.ts';
import type { PlannedFault } from './held-fault.ts';
import { invalidInput, parseInput } from './problem.ts';

/**
 * Completes a request from the catalogue.
 * @throws {InvalidFaultError | Refusal} naming the field at fault
 */
export function planFault(input: unknown, seeds: FaultSeeds): PlannedFault {
  const request: StartFault = parseInput(startFaultSchema, input);
  const { service, type, params } = validateFault(request.service, request.type, request.params);
  refuseStrangers(request, type, service);
  return {
    service,
    type,
    params,
    ratio: request.ratio ?? type.defaultRatio ?? 1,
    seed: request.seed ?? seeds.next(service, type.type),
    match: request.match,
    modifiers: chosen(request),
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
  refuseStrangers(change, type, service);
  const { ratio = plan.ratio, match = plan.match } = change;
  const modifiers = chosen({ ...plan.modifiers, ...given(change) });
  return { params, ratio, match: match ?? undefined, modifiers };
}

/** Whether a change is about what the fault does, and not only about its lease or owner. */
export function changesStrength({ takeOver: _, ttlMs: __, ...rest }: ChangeFault): boolean {
  return Object.values(rest).some((value) => value !== undefined);
}

const MODIFIERS: readonly FaultModifier[] = ['ratio', 'match', 'pulse', 'failFirst', 'rampMs'];

/** null: taken away. */
type Given = { readonly [Name in FaultModifier]?: FaultSpec[Name] | null | undefined };

/** @throws {InvalidFaultError} naming a modifier, or a part of `match`, that makes no sense for the type there */
function refuseStrangers(request: Given, type: FaultType, service: ServiceName): void {
  const absent = `absent: ${type.type} on ${service} does not take it`;
  const fitting = modifiersOf(type, service);
  for (const name of MODIFIERS) {
    if (request[name] !== undefined && !fitting.includes(name)) {
      throw new InvalidFaultError(name, request[name], absent);
    }
  }
  const kinds = matchKindsOf(type, service);
  for (const kind of MATCH_KINDS) {
    const text = request.match?.[kind];
    if (text !== undefined && !kinds.includes(kind))
      throw new InvalidFaultError(`match.${kind}`, text, absent);
  }
}

/** The modifiers that a change names, taken away or given; what is absent stays. */
function given({ pulse, failFirst, rampMs }: Given): Given {
  return {
    ...(pulse !== undefined && { pulse }),
    ...(failFirst !== undefined && { failFirst }),
    ...(rampMs !== undefined && { rampMs }),
  };
}

function chosen({ pulse, failFirst, rampMs }: Given): PlannedFault['modifiers'] {
  return { ...(pulse && { pulse }), ...(failFirst && { failFirst }), ...(rampMs && { rampMs }) };
}

/** @throws {Refusal} INVALID_INPUT naming the presets there are */
export function findPreset(name: string): Preset {
  const preset = PRESETS.find((each) => each.name === name);
  if (preset) return preset;
  throw invalidInput('name', name, `one of ${PRESETS.map((each) => each.name).join(', ')}`);
}

export function planPreset(preset: Preset, ttlMs: number | undefined, seeds: FaultSeeds): PlannedFault[] {
  return preset.faults.map((fault) => planFault({ ...fault, ttlMs: ttlMs ?? TTL_DEFAULT_MS }, seeds));
}
