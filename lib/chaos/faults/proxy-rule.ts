import type { FaultSpec } from './fault.ts';
import type { CallInfo } from './injector.ts';

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
  /** Pass the call on later, by the parameters `latencyMs` and `jitterMs`. */
  | 'delay'
  /** Close the port, and open connections by FIN at a message boundary. */
  | 'refuse'
  /** Close the port and reset open connections. */
  | 'cut'
  /** Reset connections: open ones at once, new ones after the parameter `lifeMs`. */
  | 'drop'
  /** Pass bytes at a rate, the parameter `rateKibPerSecond`. */
  | 'throttle'
  /** Pass the end of a connection on later, by the parameter `delayMs`. */
  | 'linger';

/** An error that an HTTP client gets instead of the server's answer. The fault's id is put into header and body. */
export interface HttpAnswer {
  readonly status: number;
  /** `type` of the error in the JSON body. @default 'server_error' */
  readonly kind?: string;
  /** @default "injected by fault <type>" */
  readonly message?: string;
  /** Beside those of every answer. @default none */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A whole HTTP answer whose body can be changed. */
export interface HttpReply {
  readonly status: number;
  readonly reason: string;
  readonly body: Buffer;
}

/** What Redis says: the text of an error, to which the mark is added, or a reply that hides that something is wrong. */
export type RedisReply =
  | { readonly error: string }
  | {
      /** As it stands on the wire. */
      readonly reply: string;
      /** The command that is queued inside MULTI in place of the client's, so that EXEC gives the same reply. */
      readonly queued: readonly string[];
    };

/** An error of PostgreSQL; the mark stands in its detail. */
export interface SqlReply {
  /** Five of 0-9 and A-Z. */
  readonly sqlState: string;
  readonly text: string;
}

/** What the fault proxies do for a type. Its functions must not throw; they are called for each call that is hit. */
export interface ProxyRule {
  readonly action: ProxyAction;
  /** The calls that the type is meant for; the others are not counted. @default all */
  readonly looksAt?: (call: CallInfo, fault: FaultSpec) => boolean;
  /** It acts on every byte of both directions, whatever the protocol makes of it. */
  readonly isolates?: true;
  /** The answer to an HTTP request, of `answer`. @default 500 */
  readonly httpAnswer?: (fault: FaultSpec) => HttpAnswer;
  /** The reply to a Redis command, of `answer`. @default an ERR */
  readonly redisReply?: (fault: FaultSpec) => RedisReply;
  /** The error of a statement or a start-up, of `answer`; of `reset` the last word. @default SQLSTATE 58000 */
  readonly sqlError?: (fault: FaultSpec) => SqlReply;
  /** Spoils an HTTP answer, of `malform`. `draw` (0–1) follows from the seed. */
  readonly spoil?: (answer: HttpReply, fault: FaultSpec, draw: number) => HttpReply;
}
