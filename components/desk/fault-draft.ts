import type {
  Catalogue,
  ChangeFault,
  Fault,
  FittingModifiers,
  MatchKind,
  StartFault,
} from '#lib/protocol/faults.ts';
import { changedValues, type FormField, initialValues } from './form-fields.ts';

type TurnName = 'activeMs' | 'dormantMs' | 'failFirst' | 'rampMs';

/** A fault as the form holds it. Texts are as typed; an empty one is off. */
export interface FaultDraft {
  params: Readonly<Record<string, unknown>>;
  /** 0–1 */
  ratio: number;
  ttlMs: number;
  seed: string;
  match: Readonly<Partial<Record<MatchKind, string | undefined>>>;
  turns: Readonly<Partial<Record<TurnName, string>>>;
}

export type DraftEdits = Partial<FaultDraft>;

type CatalogueType = Catalogue['types'][number];

/** What a type takes on a service; nothing when the catalogue does not offer it there. */
export function fittingModifiers(type: CatalogueType, service: string): FittingModifiers {
  const fitting = Object.entries(type.modifiers).find(([name]) => name === service)?.[1];
  return fitting ?? { names: [], match: [] };
}

/** What the form starts with: the catalogue's defaults, or the fault that it is to change. */
export function draftOf(
  type: CatalogueType,
  fields: readonly FormField[],
  ttl: Catalogue['ttl'],
  fault?: Fault,
): FaultDraft {
  const { match, pulse, failFirst, rampMs } = fault ?? {};
  return {
    params: { ...initialValues(fields), ...fault?.params },
    ratio: fault?.ratio ?? type.defaultRatio,
    ttlMs: fault?.ttlMs ?? ttl.defaultMs,
    seed: fault ? String(fault.seed) : '',
    match: { ...match },
    turns: {
      ...(pulse && { activeMs: String(pulse.activeMs), dormantMs: String(pulse.dormantMs) }),
      ...(failFirst && { failFirst: String(failFirst) }),
      ...(rampMs && { rampMs: String(rampMs) }),
    },
  };
}

/** Lays what was edited over what is in force, so that everything else follows the fault. */
export function editedDraft(draft: FaultDraft, edits: DraftEdits): FaultDraft {
  return {
    ...draft,
    ...edits,
    params: { ...draft.params, ...edits.params },
    match: { ...draft.match, ...edits.match },
    turns: { ...draft.turns, ...edits.turns },
  };
}

/** The fields whose meaning needs the service: what the other services ignore is not asked for. */
export function fieldsFor(fields: readonly FormField[], service: string): FormField[] {
  return fields.filter(({ onlyFor }) => onlyFor === undefined || onlyFor.includes(service));
}

export function startRequest(
  service: string,
  type: CatalogueType,
  fields: readonly FormField[],
  draft: FaultDraft,
): StartFault {
  const { names } = fittingModifiers(type, service);
  const params = changedValues(fields, draft.params);
  const modifiers = modifiersOf(draft);
  return {
    service,
    type: type.type,
    ttlMs: draft.ttlMs,
    ...(names.includes('ratio') ? { ratio: draft.ratio } : {}),
    ...(Object.keys(params).length > 0 ? { params } : {}),
    ...(draft.seed.trim() === '' ? {} : { seed: Number(draft.seed) }),
    ...(modifiers.match && { match: modifiers.match }),
    ...(modifiers.pulse && { pulse: modifiers.pulse }),
    ...(modifiers.failFirst && { failFirst: modifiers.failFirst }),
    ...(modifiers.rampMs && { rampMs: modifiers.rampMs }),
  };
}

/** Only what differs from the fault; null takes a modifier away. `extends` says that its time was chosen anew. */
export function changeRequest(
  fault: Fault,
  fields: readonly FormField[],
  draft: FaultDraft,
  { extend = false } = {},
): ChangeFault {
  const change: ChangeFault = extend ? { ttlMs: draft.ttlMs } : {};
  const params = fields.filter(({ name }) => !same(draft.params[name], fault.params[name]));
  if (params.length > 0) {
    change.params = Object.fromEntries(params.map(({ name }) => [name, draft.params[name]]));
  }
  if (draft.ratio !== fault.ratio) change.ratio = draft.ratio;
  const { match, pulse, failFirst, rampMs } = modifiersOf(draft);
  if (!same(match, fault.match)) change.match = match ?? null;
  if (!same(pulse, fault.pulse)) change.pulse = pulse ?? null;
  if (failFirst !== fault.failFirst) change.failFirst = failFirst ?? null;
  if (rampMs !== fault.rampMs) change.rampMs = rampMs ?? null;
  return change;
}

function modifiersOf({ match, turns }: FaultDraft): Pick<Fault, 'match' | 'pulse' | 'failFirst' | 'rampMs'> {
  const { activeMs, dormantMs, failFirst, rampMs } = turns;
  const texts = Object.entries(match).filter(([, text]) => text?.trim());
  return {
    match: texts.length > 0 ? Object.fromEntries(texts) : undefined,
    pulse: activeMs && dormantMs ? { activeMs: Number(activeMs), dormantMs: Number(dormantMs) } : undefined,
    failFirst: failFirst ? Number(failFirst) : undefined,
    rampMs: rampMs ? Number(rampMs) : undefined,
  };
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
