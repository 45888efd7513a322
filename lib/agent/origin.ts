import { findFaultType } from '../chaos/faults/catalogue.ts';
import type { FailureKind, ServiceName } from '../chaos/faults/fault.ts';
import { faultIdOf } from '../chaos/origin.ts';
import type { ActiveFault } from '../protocol/events.ts';
import { UPSTREAM } from '../protocol/services.ts';
import type { Origin } from '../protocol/state.ts';

export interface Symptom {
  service: ServiceName;
  kind: FailureKind;
  /** The reply carried the id of a fault: an HTTP header, or a mark in an error text. */
  faultId?: string | undefined;
}

/** Where a failure came from, and the fault behind it when it was one of ours. */
export interface Judgement {
  origin: Origin;
  faultId: string | null;
}

export interface OriginOptions {
  /** Epoch ms. */
  now: number;
  /** How long after its end a fault still explains failures: twice the recovery time, ms. @default 16 000 */
  recentMs?: number;
}

/**
 * Whether a failure is ours: its reply names a fault, or a fault in force (or ended a moment ago) on this service,
 * upstream of it or on its network makes failures of this kind. Everything else is organic.
 */
export function judge(
  symptom: Symptom,
  faults: readonly ActiveFault[],
  { now, recentMs = 16_000 }: OriginOptions,
): Judgement {
  if (symptom.faultId !== undefined) return { origin: 'injected', faultId: symptom.faultId };
  const suspects = faults.filter(
    (fault) =>
      (fault.endedAt === undefined || now - fault.endedAt <= recentMs) &&
      reaches(fault, symptom.service) &&
      makes(fault, symptom.kind),
  );
  // A fault in force explains better than one that has ended.
  const culprit = suspects.find((fault) => fault.endedAt === undefined) ?? suspects[0];
  return culprit ? { origin: 'injected', faultId: culprit.id } : { origin: 'organic', faultId: null };
}

/** Reads how a call failed from any error that the clients of this stack throw. */
export function symptomOf(service: ServiceName, error: unknown): Symptom {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const text = typeof message === 'string' ? message : String(error);
  return { service, kind: kindOf(typeof code === 'string' ? code : '', text), faultId: faultIdOf(error) };
}

function kindOf(code: string, text: string): FailureKind {
  if (/ENOTFOUND|EAI_/.test(code)) return 'unresolved';
  if (/ECONNREFUSED|EHOSTUNREACH/.test(code) || /ECONNREFUSED/.test(text)) return 'refused';
  // 57014: statement_timeout, 25P03: idle_in_transaction_session_timeout
  if (/TIMEOUT|TIMEDOUT|DEADLINE|^57014$|^25P03$/.test(code) || /timed? ?out/i.test(text)) return 'timeout';
  if (/ECONNRESET|EPIPE|^08|^57P/.test(code) || CONNECTION_LOST.test(text)) return 'reset';
  if (code === 'MALFORMED') return 'malformed';
  return 'error_reply';
}

const CONNECTION_LOST =
  /connection is closed|socket hang up|terminated|connection error|isn't writeable|max retries per request|not queryable|reset|socket closed|connection closed|ended|not subscribed|reached no subscriber/i;

function makes({ service, type }: ActiveFault, kind: FailureKind): boolean {
  // What a card does to its services: they answer with errors, hang, and are started again.
  if (service === 'gpu' && kind !== 'malformed') return true;
  return findFaultType(type)?.makes?.includes(kind) ?? true;
}

/** A fault reaches a service when it is aimed at it, stands upstream of it, or disturbs its network. */
function reaches(fault: ActiveFault, service: ServiceName): boolean {
  if (fault.service === service) return true;
  if (fault.service === 'pipeline') return true; // the caller itself: its time-outs run out while it is paused
  const upstream = UPSTREAM[service] ?? [];
  if (fault.service !== 'network') return upstream.includes(fault.service);
  const targets = fault.params['services'];
  if (!Array.isArray(targets) || targets.length === 0) return true;
  return targets.includes(service) || upstream.some((name) => targets.includes(name));
}
