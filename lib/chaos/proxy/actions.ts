import type { FaultSpec } from '../faults/fault.ts';
import type { CallInfo } from '../faults/injector.ts';
import { takesLocks } from './postgres/sql.ts';
import { isReadOnly } from './redis/commands.ts';

/** What a proxy does for a fault type. */
export type ProxyAction =
  /** Keep the bytes, answer nothing, close later. */
  | 'hold'
  /** Answer with an error of the protocol. */
  | 'answer'
  /** Let the call happen and spoil its answer. */
  | 'malform'
  /** Reset the connection of the call. */
  | 'reset'
  /** Pass the call on later. */
  | 'delay'
  /** Close the port, and open connections by FIN at a message boundary. */
  | 'refuse'
  /** Close the port and reset open connections. */
  | 'cut';

interface TypeAction {
  readonly action: ProxyAction;
  /** The calls that the type looks at; the others are not counted. @default all */
  readonly looksAt?: (call: CallInfo, fault: FaultSpec) => boolean;
}

/** The start-up of a connection, where the protocol has one. */
const isConnect = (call: CallInfo) => call.kind === 'connect';

const TYPES: Readonly<Record<string, TypeAction>> = {
  timeout: { action: 'hold' },
  server_error: { action: 'answer' },
  intermittent: { action: 'answer' },
  malformed_response: { action: 'malform' },
  packet_loss: { action: 'reset' },
  latency: { action: 'delay' },
  connection_error: { action: 'refuse' },
  unavailable: { action: 'cut' },
  rate_limited: { action: 'answer', looksAt: (call) => call.healthCheck !== true },
  partial_batch: { action: 'malform', looksAt: (call) => call.route === '/detect/batch' },
  error_reply: {
    action: 'answer',
    looksAt: (call, fault) => !WRITES_ONLY.has(String(fault.params['kind'])) || !isReadOnly(call.command),
  },
  connection_reset: { action: 'reset' },
  query_error: { action: 'answer' },
  deadlock: { action: 'answer', looksAt: (call) => takesLocks(call.sql ?? '') },
  slow_query: { action: 'delay', looksAt: (call) => call.sql !== undefined },
  connection_lost: {
    action: 'reset',
    looksAt: (call, fault) =>
      call.sql !== undefined && (fault.params['when'] === 'any' || call.inTransaction === true),
  },
  too_many_connections: { action: 'answer', looksAt: isConnect },
};

/** Redis answers these to commands that may write; reads go on. */
const WRITES_ONLY = new Set(['OOM', 'READONLY']);

/** What a proxy does for a fault type; undefined for a type that acts elsewhere. */
export function actionOf(type: string): ProxyAction | undefined {
  return Object.hasOwn(TYPES, type) ? TYPES[type]?.action : undefined;
}

/** Whether a fault is meant for this kind of call at all. */
export function looksAt(fault: FaultSpec, call: CallInfo): boolean {
  return TYPES[fault.type]?.looksAt?.(call, fault) ?? true;
}

/** Whether a type is meant for every call, so that it may act on bytes before a call is known. */
export function looksAtAll(type: string): boolean {
  return TYPES[type]?.looksAt === undefined;
}
