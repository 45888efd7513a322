import { z } from '@hono/zod-openapi';
import { INJECTOR_NAMES, SERVICE_NAMES } from '../../../lib/chaos/faults/fault.ts';
import type { DlqGroups, DlqPage, DlqTaken, LetterTask } from '../../../lib/protocol/dead-letters.ts';
import type { Fact } from '../../../lib/protocol/facts.ts';
import type { Catalogue, Fault, FaultReceipt, HaltReceipt } from '../../../lib/protocol/faults.ts';
import type { Series } from '../../../lib/protocol/metrics.ts';
import type { State } from '../../../lib/protocol/state.ts';
import type { TimelineWindow } from '../../../lib/protocol/timeline.ts';

const serviceName = z.enum(SERVICE_NAMES);
const injectorName = z.enum(INJECTOR_NAMES);

const ownerSchema = z.object({
  name: z.string(),
  kind: z.enum(['browser', 'rest']),
  tabId: z.string().optional(),
});

/** Answers are described here for the OpenAPI document; each is checked against the type it describes. */
export const faultSchema = z
  .object({
    id: z.string(),
    version: z.number().int(),
    service: serviceName,
    type: z.string(),
    title: z.string(),
    params: z.record(z.string(), z.unknown()),
    ratio: z.number(),
    seed: z.number(),
    match: z.record(z.string(), z.string()).optional(),
    pulse: z.object({ activeMs: z.number(), dormantMs: z.number() }).optional(),
    failFirst: z.number().optional(),
    rampMs: z.number().optional(),
    ttlMs: z.number(),
    leftMs: z.number(),
    owner: ownerSchema,
    startedAt: z.number(),
    expiresAt: z.number(),
    plane: z.enum(['network', 'protocol', 'agent', 'process']),
    injector: injectorName,
    armedInMs: z.number(),
    hits: z.number(),
    hitsByKind: z.record(z.string(), z.number()),
    seen: z.number(),
    preset: z.string().optional(),
    warning: z.string().optional(),
  })
  .openapi('Fault') satisfies z.ZodType<Fault>;

export const receiptSchema = z
  .object({
    faultId: z.string(),
    service: serviceName,
    type: z.string(),
    title: z.string().optional(),
    reason: z.enum([
      'stopped',
      'expired',
      'owner_lost',
      'control_lost',
      'control_crashed',
      'halted',
      'rolled_back',
      'injector_lost',
    ]),
    injector: injectorName,
    acknowledged: z.boolean(),
    acknowledgedInMs: z.number(),
    hits: z.number(),
    remaining: z.array(z.string()),
  })
  .openapi('FaultReceipt') satisfies z.ZodType<FaultReceipt>;

export const haltReceiptSchema = z
  .object({
    at: z.number(),
    by: z.string(),
    reason: z.string(),
    faults: z.array(receiptSchema),
    unacknowledged: z.array(injectorName),
    tookMs: z.number(),
  })
  .openapi('HaltReceipt') satisfies z.ZodType<HaltReceipt>;

export const factSchema = z.custom<Fact>().openapi('Fact', {
  type: 'object',
  description: '{seq, at, type, subject, data}; see lib/protocol/facts.ts',
});

export const timelineWindowSchema = z.custom<TimelineWindow>().openapi('TimelineWindow', {
  type: 'object',
  description: '{fromMs, toMs, facts, standing, seq, gap, more}; see lib/protocol/timeline.ts',
});

export const stateSchema = z
  .custom<State>()
  .openapi('State', { type: 'object', description: 'See lib/protocol/state.ts' });

export const catalogueSchema = z
  .custom<Catalogue>()
  .openapi('Catalogue', { type: 'object', description: 'Services, fault types with JSON Schemas, presets' });

export const dlqPageSchema = z
  .custom<DlqPage>()
  .openapi('DlqPage', { type: 'object', description: '{items, nextCursor, total}' });

export const dlqGroupsSchema = z.custom<DlqGroups>().openapi('DlqGroups', {
  type: 'object',
  description: '{groups, more, looked, total, faults, mark}; see lib/protocol/dead-letters.ts',
});

export const letterTaskSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['redrive', 'purge']),
    queue: z.string(),
    faultId: z.string().nullable(),
    signature: z.string().nullable(),
    by: z.string(),
    ratePerSecond: z.number().nullable(),
    state: z.enum(['running', 'waiting', 'done', 'cancelled', 'failed']),
    why: z.string().nullable(),
    total: z.number().int(),
    done: z.number().int(),
    skipped: z.number().int(),
    failed: z.number().int(),
    cameBack: z.number().int(),
    startedAt: z.number(),
    endedAt: z.number().nullable(),
  })
  .openapi('LetterTask') satisfies z.ZodType<LetterTask>;

export const dlqTakenSchema = z
  .object({
    accepted: z.number().int(),
    tasks: z.array(letterTaskSchema),
    refused: z.array(
      z.object({
        queue: z.string(),
        code: z.enum(['BREAKER_OPEN', 'TASK_RUNNING', 'NOT_REDRIVABLE']),
        why: z.string(),
      }),
    ),
  })
  .openapi('DlqTaken') satisfies z.ZodType<DlqTaken>;

export const seriesSchema = z
  .object({
    name: z.string(),
    unit: z.string(),
    startAt: z.number(),
    stepMs: z.number(),
    values: z.array(z.number().nullable()),
  })
  .openapi('Series') satisfies z.ZodType<Series>;

export const nothingSchema = z.strictObject({});
