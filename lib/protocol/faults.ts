import { z } from 'zod';
import type {
  FaultEndReason,
  FaultModifier,
  FaultPlane,
  InjectorName,
  MatchKind,
  ServiceName,
} from '../chaos/faults/fault.ts';

export type {
  FaultEndReason,
  FaultPlane,
  InjectorName,
  MatchKind,
  ServiceName,
} from '../chaos/faults/fault.ts';

/** Limits of every lease. */
export const TTL_DEFAULT_MS = 60_000;
export const TTL_MAX_MS = 900_000;
export const TTL_MIN_MS = 1_000;

const matchSchema = z
  .strictObject({
    route: z.string().min(1).max(200).optional(),
    command: z.string().min(1).max(200).optional(),
    sql: z.string().min(1).max(200).optional(),
    file: z.string().min(1).max(200).optional(),
  })
  .meta({ description: 'Only calls whose text contains every given part are hit' });

const turnMs = z.number().int().min(100).max(600_000);
const pulseSchema = z
  .strictObject({ activeMs: turnMs.meta({ unit: 'ms' }), dormantMs: turnMs.meta({ unit: 'ms' }) })
  .meta({ description: 'Acts and rests in turns from its start; acting comes first' });
const failFirst = z
  .number()
  .int()
  .min(1)
  .max(1_000_000)
  .meta({ description: 'Only the first so many matching calls can be hit; health checks are counted apart' });
const rampMs = z.number().int().min(100).max(TTL_MAX_MS).meta({
  description: 'Time in which the strength grows from 0: the delay of a latency, otherwise the ratio',
  unit: 'ms',
});

const ttlMs = z
  .number()
  .int()
  .min(TTL_MIN_MS)
  .max(TTL_MAX_MS)
  .meta({ description: 'Life of the fault; it ends by itself', unit: 'ms' });
const ratio = z
  .number()
  .min(0)
  .max(1)
  .meta({ description: 'Share of calls, connections or files that are hit' });

/** `POST /faults` and `fault:start`. `service`, `type` and `params` are checked against the catalogue. */
export const startFaultSchema = z.strictObject({
  service: z.string().max(100),
  type: z.string().max(100),
  params: z.record(z.string(), z.unknown()).optional(),
  ratio: ratio.optional(),
  ttlMs: ttlMs.optional(),
  seed: z.number().int().min(0).max(0xffff_ffff).optional(),
  match: matchSchema.optional(),
  pulse: pulseSchema.optional(),
  failFirst: failFirst.optional(),
  rampMs: rampMs.optional(),
});
export type StartFault = z.infer<typeof startFaultSchema>;

/** `POST /presets/:name` and `preset:start`: all of its faults or none. */
export const startPresetSchema = z.strictObject({
  name: z.string().max(100),
  ttlMs: ttlMs.optional(),
});
export type StartPreset = z.infer<typeof startPresetSchema>;

/**
 * `PATCH /faults/:id` and `fault:change`. What is absent stays, `null` takes a modifier away, `ttlMs` restarts the
 * lease from now. `params` are laid over those in force; `match` and `pulse` are replaced whole.
 */
export const changeFaultSchema = z.strictObject({
  params: z.record(z.string(), z.unknown()).optional(),
  ratio: ratio.optional(),
  match: matchSchema.nullable().optional(),
  pulse: pulseSchema.nullable().optional(),
  failFirst: failFirst.nullable().optional(),
  rampMs: rampMs.nullable().optional(),
  ttlMs: ttlMs.optional(),
  /** Takes the lease over from its owner. */
  takeOver: z.boolean().optional(),
});
export type ChangeFault = z.infer<typeof changeFaultSchema>;

/** A fault in force, as seen from outside. Times are epoch ms of the control process. */
export interface Fault {
  id: string;
  version: number;
  service: ServiceName;
  type: string;
  title: string;
  params: Record<string, unknown>;
  ratio: number;
  seed: number;
  match?: z.infer<typeof matchSchema> | undefined;
  pulse?: { activeMs: number; dormantMs: number } | undefined;
  failFirst?: number | undefined;
  rampMs?: number | undefined;
  /** Lease as last asked for. */
  ttlMs: number;
  /** Time left at the moment this was sent, ms; count it down locally. */
  leftMs: number;
  owner: Owner;
  startedAt: number;
  expiresAt: number;
  plane: FaultPlane;
  injector: InjectorName;
  /** ms from the command to the injector's acknowledgement. */
  armedInMs: number;
  hits: number;
  hitsByKind: Record<string, number>;
  seen: number;
  /** Name of the compound preset it came with. */
  preset?: string | undefined;
  warning?: string | undefined;
}

export interface Owner {
  name: string;
  /** browser leases need their browser; rest leases end by their TTL. */
  kind: 'browser' | 'rest';
  /** Id of the browser tab, when it is one. */
  tabId?: string | undefined;
}

/** What came of ending one fault. */
export interface FaultReceipt {
  faultId: string;
  service: ServiceName;
  type: string;
  /** Of the type; absent in receipts of older versions. */
  title?: string | undefined;
  reason: FaultEndReason;
  injector: InjectorName;
  /** False: the injector did not acknowledge within 1 s; it ends the fault by itself within 3 s of silence. */
  acknowledged: boolean;
  acknowledgedInMs: number;
  hits: number;
  /** What is still recovering: open breakers, waiting jobs, a GPU that must restart. */
  remaining: string[];
}

export interface HaltReceipt {
  at: number;
  by: string;
  reason: string;
  faults: FaultReceipt[];
  /** Injectors that did not acknowledge within 1 s. Empty is what it should be. */
  unacknowledged: InjectorName[];
  tookMs: number;
}

export const haltSchema = z.strictObject({ reason: z.string().max(500).optional() });
export const resumeSchema = z.strictObject({ reason: z.string().min(1).max(500) });

/** What makes sense for a fault type on one service. */
export interface FittingModifiers {
  names: FaultModifier[];
  /** What `match` can name; empty when there is no `match`. */
  match: MatchKind[];
}

/** `GET /catalogue`. */
export interface Catalogue {
  services: { name: ServiceName; title: string; description: string; types: string[] }[];
  types: {
    type: string;
    title: string;
    description: string;
    plane: FaultPlane;
    services: ServiceName[];
    defaultRatio: number;
    /** What `POST` and `PATCH /faults` take for it on each of its services; anything else is refused. */
    modifiers: Partial<Record<ServiceName, FittingModifiers>>;
    /** JSON Schema (2020-12) of `params`, with `title`, `description`, `unit`, `default`, bounds. */
    params: Record<string, unknown>;
    promises: { service: ServiceName; text: string }[];
  }[];
  presets: {
    name: string;
    title: string;
    description: string;
    faults: { service: ServiceName; type: string; params?: Record<string, unknown>; ratio?: number }[];
  }[];
  ttl: { minMs: number; defaultMs: number; maxMs: number };
}
