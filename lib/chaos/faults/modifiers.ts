import { findFaultType } from './catalogue.ts';
import type { FaultType } from './define.ts';
import {
  type FaultModifier,
  type FaultPulse,
  type FaultSpec,
  MATCH_KINDS,
  type MatchKind,
  type ServiceName,
} from './fault.ts';
import type { ProxyAction } from './proxy-rule.ts';

/** The modifiers that make sense for a type on a service; whatever else is given is refused. */
export function modifiersOf(type: FaultType, service: ServiceName): readonly FaultModifier[] {
  const state = isState(type, service);
  return [
    ...(state ? [] : (['ratio'] as const)),
    ...(matchKindsOf(type, service).length > 0 ? (['match'] as const) : []),
    ...(type.rhythm ? [] : (['pulse'] as const)),
    ...(state || type.perCall === false ? [] : (['failFirst', 'rampMs'] as const)),
  ];
}

/** What a `match` can name about the calls that the type hits there; nothing where it hits no single calls. */
export function matchKindsOf(type: FaultType, service: ServiceName): readonly MatchKind[] {
  if (type.matches) return type.matches;
  if (isState(type, service) || type.perCall === false) return [];
  if (type.proxy && (type.proxy.isolates || ON_CONNECTIONS.has(type.proxy.action))) return [];
  if (type.injector === 'cameras' || type.injector === 'pipeline') return ['file'];
  return CALL_TEXTS[service] ?? [];
}

/** What these do is done to a connection, whatever is called on it. */
const ON_CONNECTIONS: ReadonlySet<ProxyAction> = new Set(['refuse', 'cut', 'drop', 'throttle', 'linger']);

/** What is known of a single call. */
const CALL_TEXTS: Readonly<Partial<Record<ServiceName, readonly MatchKind[]>>> = {
  yolo26: ['route'],
  nemotron: ['route'],
  gpu: ['route'],
  redis: ['command'],
  pubsub: ['command'],
  database: ['command', 'sql'],
  ftp: ['command', 'file'],
  network: MATCH_KINDS,
};

/** It changes a state of the service, and hits no share of anything. */
function isState(type: FaultType, service: ServiceName): boolean {
  return type.stateOn?.includes(service) ?? (type.perCall === false && !type.proxy);
}

/** The turns in which a fault acts: its type's own or its modifier. */
function pulseOf(fault: FaultSpec): FaultPulse | undefined {
  return findFaultType(fault.type)?.rhythm?.(fault.params) ?? fault.pulse;
}

/** Whether a fault is in a turn of not acting, `elapsedMs` after its start. */
export function isDormant(fault: FaultSpec, elapsedMs: number): boolean {
  const pulse = pulseOf(fault);
  return pulse !== undefined && elapsedMs % (pulse.activeMs + pulse.dormantMs) >= pulse.activeMs;
}

/** Share of its strength that a fault has, 0–1. */
export function strengthOf(fault: FaultSpec, elapsedMs: number): number {
  return fault.rampMs ? Math.min(1, elapsedMs / fault.rampMs) : 1;
}

/** ms until the fault begins or stops acting or has reached its strength; undefined when nothing changes any more. */
export function nextTurnMs(fault: FaultSpec, elapsedMs: number): number | undefined {
  const turns: number[] = [];
  const pulse = pulseOf(fault);
  if (pulse) {
    const atMs = elapsedMs % (pulse.activeMs + pulse.dormantMs);
    turns.push(atMs < pulse.activeMs ? pulse.activeMs - atMs : pulse.activeMs + pulse.dormantMs - atMs);
  }
  if (fault.rampMs && elapsedMs < fault.rampMs) turns.push(fault.rampMs - elapsedMs);
  return turns.length > 0 ? Math.min(...turns) : undefined;
}

/** Whether a verdict of the `n`-th call may be yes, and from which draw down. */
export function thresholdOf(fault: FaultSpec, n: number, elapsedMs: number): number {
  if (fault.failFirst !== undefined && n >= fault.failFirst) return 0;
  if (findFaultType(fault.type)?.rampsDelay) return fault.ratio;
  return fault.ratio * strengthOf(fault, elapsedMs);
}

/** Share of its delay that a fault adds, 0–1: below 1 while the ramp of a latency runs. */
export function delayShareOf(fault: FaultSpec, elapsedMs: number): number {
  return findFaultType(fault.type)?.rampsDelay ? strengthOf(fault, elapsedMs) : 1;
}
