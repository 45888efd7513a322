/**
 * The one model of a fault. Pure data and types: this file is safe to load in a browser.
 */

/** Response header that carries the id of the fault that made an HTTP answer. */
export const FAULT_HEADER = 'x-brownout-fault';

/** The mark of an injected failure inside a RESP error, a PostgreSQL error detail, an FTP reply or a CUDA error. */
export function faultMark(faultId: string): string {
  return `[brownout:${faultId}]`;
}

/** The fault id inside a text that carries a mark. */
export function readFaultMark(text: string): string | undefined {
  return /\[brownout:([A-Za-z0-9_-]+)\]/.exec(text)?.[1];
}

/** Everything a fault can be aimed at: the seed's eight services, then the two processes that are not one of them. */
export const SERVICE_NAMES = [
  'yolo26',
  'nemotron',
  'redis',
  'database',
  'network',
  'ftp',
  'gpu',
  'pubsub',
  'pipeline',
  'inference',
] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** The services that stand behind a fault proxy and can be named in a network fault's `services`. */
export const PROXIED_SERVICES = ['yolo26', 'nemotron', 'redis', 'database', 'ftp', 'pubsub'] as const;
export type ProxiedService = (typeof PROXIED_SERVICES)[number];

/** The processes in which faults act. Each one holds a lease of its own on the faults it was given. */
export const INJECTOR_NAMES = ['proxy', 'inference', 'pipeline', 'cameras', 'supervisor'] as const;
export type InjectorName = (typeof INJECTOR_NAMES)[number];

/**
 * network: bytes and connections. protocol: HTTP, RESP, PostgreSQL, FTP messages.
 * agent: inside the process. process: kill and pause.
 */
export type FaultPlane = 'network' | 'protocol' | 'agent' | 'process';

/** How a call failed, as its client saw it. */
export type FailureKind = 'unresolved' | 'refused' | 'reset' | 'timeout' | 'error_reply' | 'malformed';

/** Values of a fault's parameters after validation and defaulting; each type's schema says which exist. */
export type FaultParams = Record<string, unknown>;

/** Which calls a fault hits; every given pattern must occur (case-insensitively) in the call's text of that kind. */
export interface FaultMatch {
  /** Part of an HTTP route, for example `/completion`. */
  route?: string | undefined;
  /** A Redis or FTP command, for example `EVALSHA` or `STOR`. */
  command?: string | undefined;
  /** Part of the SQL text. */
  sql?: string | undefined;
  /** Part of a file name. */
  file?: string | undefined;
}

export const MATCH_KINDS = ['route', 'command', 'sql', 'file'] as const satisfies (keyof FaultMatch)[];
export type MatchKind = (typeof MATCH_KINDS)[number];

/** Turns of acting and not acting, from the fault's start; acting comes first. */
export interface FaultPulse {
  readonly activeMs: number;
  readonly dormantMs: number;
}

/** Modifiers about when and how strongly a fault acts. */
export type TurnModifier = 'pulse' | 'failFirst' | 'rampMs';
export type FaultModifier = 'ratio' | 'match' | TurnModifier;

/** What an injector needs to act: a validated fault with its lease. */
export interface FaultSpec {
  readonly id: string;
  /** Grows by one with each change; a change of an older version is refused. */
  readonly version: number;
  readonly service: ServiceName;
  readonly type: string;
  readonly params: FaultParams;
  /** Share of calls, connections or files that are hit, 0–1. */
  readonly ratio: number;
  /** 32-bit unsigned. Same seed and same calls, same verdicts. */
  readonly seed: number;
  readonly match?: FaultMatch | undefined;
  /** @default acting all the time */
  readonly pulse?: FaultPulse | undefined;
  /** Only the first so many matching calls can be hit; health checks are counted apart. @default all */
  readonly failFirst?: number | undefined;
  /** Time from the start in which the strength grows from 0 to full: the delay of latency, otherwise the ratio. */
  readonly rampMs?: number | undefined;
  /** Time left to live at the moment this spec was sent, ms. Counted down by the injector's monotonic clock. */
  readonly ttlMs: number;
}

/** Why a fault is over. */
export type FaultEndReason =
  | 'stopped' // somebody stopped it
  | 'expired' // its TTL ran out
  | 'owner_lost' // 15 s without the browser that held it
  | 'control_lost' // the injector heard nothing from the control process for 3 s, or another run answered
  | 'control_crashed' // found open in the journal at the next start
  | 'halted'
  | 'rolled_back' // another injector could not arm it
  | 'injector_lost'; // the process it acted in is gone

/** What an injector did for one fault, at any moment and in its final report. */
export interface FaultActivity {
  readonly id: string;
  /** Calls, connections or files that were disturbed. */
  readonly hits: number;
  /** Hits by kind of call: an HTTP route, a command, a SQL verb, a kernel. */
  readonly hitsByKind: Readonly<Record<string, number>>;
  /** Calls that were looked at, disturbed or not. */
  readonly seen: number;
  /** A limitation in force, for example "encrypted bytes: acting on TCP only". */
  readonly warning?: string | undefined;
}
