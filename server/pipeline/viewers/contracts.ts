import type { Server } from 'socket.io';
import type { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import type { Clock } from '#lib/chaos/clock.ts';
import type { Random } from '#lib/chaos/random.ts';
import type {
  DependencyStatus,
  LedgerStatus,
  ModeStatus,
  PoolStatus,
  QueueStatus,
  RecentEvent,
  ServiceHealth,
} from '#lib/protocol/state.ts';
import type { ViewerChannel, ViewerClientEvents, ViewerServerEvents } from '#lib/protocol/viewers.ts';
import type { Settings } from '#server/config.ts';
import type { DependencyAddress } from '#server/dependency-addresses.ts';
import type { Logger } from '#server/logging.ts';
import type { Broadcaster, Cache, Intake } from '../contracts.ts';
import type { Queryable } from '../database/database.ts';
import type { RecentEvents } from './recent-events.ts';

/**
 * What the viewer side is made of, and what it needs from the process around it.
 *
 *     EventRecord ─► Broadcaster ─[pubsub]─► Broadcaster ─► Socket.IO viewers
 *                        └─────── directly, when Redis fails ──────┘
 *     GET /api/events ─► EventReader ─[database]─► rows, or cached rows marked stale
 *
 * `createCache(CacheOptions): ViewerCache` (cache.ts), `createBroadcaster(BroadcasterOptions): ViewerBroadcaster`
 * (broadcaster.ts), `createViewerApi(ViewerApiOptions): Promise<ViewerApi>` (viewer-api.ts).
 */

export type Profile = Settings['PROFILE'];

export interface RedisAddress extends DependencyAddress {
  /** null: none. */
  password: string | null;
}

/** Observes one call to a dependency (rate, latency, injected or organic); hands its result on unchanged. */
type Track = <T>(call: () => Promise<T>) => Promise<T>;

export interface CacheOptions {
  redis: RedisAddress;
  logger: Logger;
  /** Sets the time-outs. @default 'game-day' */
  profile?: Profile;
  /** @default systemClock */
  clock?: Clock;
  /** Observes every call to Redis. @default none */
  track?: Track;
}

export interface CacheStatus {
  /** Where the next call goes. */
  tier: 'redis' | 'memory';
  /** Entries held in the process, at most 1 000. */
  entries: number;
  /** Of them, those to be written to Redis when it is back. */
  unwritten: number;
  /** Calls that skipped the cache after a time-out (`cache_skipped`). */
  skipped: number;
  /** Calls answered by the process because Redis was unreachable. */
  fallbacks: number;
  writtenBack: number;
}

/** The pipeline's `Cache` and a store of texts for answers that may be served stale. */
export interface ViewerCache extends Cache {
  /** Keeps a text for 300 s. Never throws. */
  remember(key: string, text: string): Promise<void>;
  /** The text kept under this key. Never throws. */
  recall(key: string): Promise<string | undefined>;
  status(): CacheStatus;
  /** @throws {Error} when Redis does not answer a PING before `signal` aborts */
  healthCheck(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface BroadcasterOptions {
  pubsub: RedisAddress;
  /** Breaker `broadcaster`. */
  breaker: CircuitBreaker;
  logger: Logger;
  /** Sets the time-outs. @default 'game-day' */
  profile?: Profile;
  /** Observes every publish attempt. @default none */
  track?: Track;
  /**
   * Time from the return of the subscription to a replay, ms: other processes' subscribers, and the viewers after a
   * restart, need it to come back too. @default 2500, the longest wait of a reconnecting subscriber
   */
  replaySettleMs?: number;
  /** Where critical events that Redis could not take are kept over a restart. @default in memory only */
  keptFile?: string;
  /** @default systemClock */
  clock?: Clock;
  /** Jitter. @default Math.random */
  random?: Random;
}

export interface BroadcasterStats {
  /** Viewers connected now. */
  connected: number;
  /** Events that Redis took and at least one subscriber heard. */
  published: number;
  /** Events that went to this process's viewers without Redis. */
  direct: number;
  /** Publishes that reached no subscriber. */
  unheard: number;
  /** Publish attempts that were tried again. */
  retried: number;
  /** Publishes that failed in the end. */
  failed: number;
  /** Critical events waiting to be replayed through Redis. */
  kept: number;
  replayed: number;
  /** Messages that a viewer did not get a second time. */
  duplicates: number;
  /** Messages from Redis that could not be read. */
  malformed: number;
  /** Viewers cut because they could not keep up. */
  slowConsumers: number;
  /** Connections that the subscriber made after its first. */
  reconnects: number;
  /** Channels now subscribed to, and those whose subscription failed. */
  subscribed: ViewerChannel[];
  unsubscribed: ViewerChannel[];
}

export type ViewerServer = Server<ViewerClientEvents, ViewerServerEvents>;

export interface ViewerBroadcaster extends Broadcaster {
  /** What this process knows of the newest events. */
  readonly recent: RecentEvents;
  /** Connects in the background (Redis may be down) and reads what was kept. */
  start(): Promise<void>;
  stats(): BroadcasterStats;
  /**
   * One message through PUBLISH and back through the subscription, past the breaker.
   * @throws {Error} saying what is missing, or the reason of `signal` when that aborts first
   */
  healthCheck(signal: AbortSignal): Promise<void>;
  /** Serves the viewers of this Socket.IO server; `createViewerApi` calls it. */
  attach(io: ViewerServer): void;
  /** The newest events that this process has seen, newest first, for the console's report. */
  recentEvents(limit?: number): RecentEvent[];
  close(): Promise<void>;
}

/** What the pipeline says of itself on `GET /api/health`. Every part carries when it was looked at. */
export interface PipelineHealth {
  mode: ModeStatus;
  services: ServiceHealth[];
  queues?: QueueStatus[];
  pools?: PoolStatus[];
  ledger?: LedgerStatus;
  dependencies?: DependencyStatus[];
}

export interface ReadStats {
  fresh: number;
  stale: number;
  unavailable: number;
  p95Ms: number | null;
}

export interface ViewerApiOptions {
  /** Port 0 takes a free one. */
  http: { host: string; port: number };
  /** Its errors' `retryAfterMs`, when there, becomes Retry-After. */
  database: Queryable;
  /** Resolves once it has its tables; before, it is not asked. */
  schema: Promise<void>;
  intake: Pick<Intake, 'locate'>;
  /** Folders that media may be read from: the media store and the inbox. Absolute. */
  mediaRoots: readonly string[];
  health: () => PipelineHealth;
  broadcaster: ViewerBroadcaster;
  cache: ViewerCache;
  logger: Logger;
  profile: Profile;
  /** Port of the console, whose pages may read events and pictures. */
  consolePort: number;
  /** BROWNOUT_TOKEN: needed by everybody when set. @default none */
  token?: string | undefined;
  /** @default systemClock */
  clock?: Clock;
}

export interface ViewerApi {
  /** Reads of events: how they were answered, and p95 of the last 20 (null: fewer were made), ms. */
  readStats(): ReadStats;
  /** The port it listens on. */
  readonly port: number;
  close(): Promise<void>;
}
