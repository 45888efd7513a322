import type { FaultSpec } from '../faults/fault.ts';
import type { CallInfo } from '../faults/injector.ts';
import { takesLocks } from './postgres/sql.ts';
import { isPublish, isReadOnly, isSubscribing } from './redis/commands.ts';

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
  | 'cut'
  /** Reset connections, open ones at once, new ones after a while. */
  | 'drop'
  /** Pass bytes at a rate. */
  | 'throttle'
  /** Pass the end of a connection on later. */
  | 'linger';

interface TypeAction {
  readonly action: ProxyAction;
  /** The calls that the type looks at; the others are not counted. @default all */
  readonly looksAt?: (call: CallInfo, fault: FaultSpec) => boolean;
  /** It acts on every byte of both directions, whatever the protocol makes of it. */
  readonly isolates?: true;
}

/** The start-up of a connection, where the protocol has one. */
const isConnect = (call: CallInfo) => call.kind === 'connect';

const onChannel = (call: CallInfo, fault: FaultSpec) => {
  const part = String(fault.params['channel'] ?? '');
  return part === '' || (call.channels ?? []).some((channel) => channel.includes(part));
};
const publishes = (call: CallInfo, fault: FaultSpec) => isPublish(call.command) && onChannel(call, fault);

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
  partition: { action: 'hold', isolates: true },
  flapping: { action: 'cut' },
  bandwidth: { action: 'throttle' },
  slow_close: { action: 'linger' },
  disconnect: { action: 'drop' },
  message_loss: { action: 'answer', looksAt: publishes },
  publish_failure: { action: 'answer', looksAt: publishes },
  publish_timeout: { action: 'hold', looksAt: publishes },
  subscription_failure: {
    action: 'answer',
    looksAt: (call, fault) => isSubscribing(call.command) && onChannel(call, fault),
  },
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

/** Whether a type acts on every byte, on any channel of any protocol. */
export function isolates(type: string): boolean {
  return TYPES[type]?.isolates === true;
}
