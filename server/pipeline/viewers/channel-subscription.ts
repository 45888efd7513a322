import type { Redis } from 'ioredis';
import type { Clock, Timer } from '#lib/chaos/clock.ts';
import type { Random } from '#lib/chaos/random.ts';
import { backoffMs } from '#lib/chaos/retry/backoff.ts';
import type { Logger } from '#server/logging.ts';
import type { Profile, RedisAddress } from './contracts.ts';
import { connectInBackground, createRedisClient, REDIS_BACKOFF } from './redis-client.ts';

export interface ChannelSubscriptionOptions {
  address: RedisAddress;
  profile: Profile;
  logger: Logger;
  clock: Clock;
  random: Random;
  /** Names in Redis. */
  channels: readonly string[];
  onMessage: (channel: string, text: string) => void;
  /** Every channel is subscribed to (again). */
  onComplete: () => void;
}

/** A PING this often finds a connection on which nothing arrives any more, ms. */
const HEARTBEAT_MS: Record<Profile, number> = { 'game-day': 1000, production: 5000, test: 300 };

/**
 * A connection of its own that stays subscribed to its channels: connects again with jittered back-off, subscribes to
 * each channel, and tries those that failed again, each failure named.
 */
export class ChannelSubscription {
  readonly #options: ChannelSubscriptionOptions;
  readonly #redis: Redis;
  readonly #subscribed = new Set<string>();
  /** Grows with each connection; what an older one answers is ignored. */
  #connection = 0;
  #completeSince: number | undefined;
  #retry: Timer | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(options: ChannelSubscriptionOptions) {
    this.#options = options;
    this.#redis = createRedisClient({ ...options, name: 'subscriber' });
    this.#redis.on('message', (channel, text) => options.onMessage(channel, text));
    this.#redis.on('ready', () => {
      this.#connection++;
      void this.#subscribe(this.#connection, 1);
    });
    this.#redis.on('close', () => this.#lost());
  }

  get reconnects(): number {
    return Math.max(0, this.#connection - 1);
  }

  isSubscribed(channel: string): boolean {
    return this.#subscribed.has(channel);
  }

  /** Monotonic time since which every channel is subscribed to; undefined while one is not. */
  get completeSince(): number | undefined {
    return this.#completeSince;
  }

  /** Channels that nothing is received on at the moment. */
  get missing(): string[] {
    return this.#options.channels.filter((channel) => !this.#subscribed.has(channel));
  }

  start(): void {
    connectInBackground(this.#redis);
    this.#heartbeat = setInterval(() => {
      // Unanswered, it makes the client's socketTimeout replace the connection.
      if (this.#redis.status === 'ready') this.#redis.ping().catch(() => {});
    }, HEARTBEAT_MS[this.#options.profile]);
    this.#heartbeat.unref();
  }

  close(): void {
    this.#connection++;
    this.#retry?.cancel();
    clearInterval(this.#heartbeat);
    this.#redis.disconnect();
  }

  #lost(): void {
    this.#retry?.cancel();
    this.#completeSince = undefined;
    if (this.#subscribed.size === 0) return;
    this.#options.logger.warn({ channels: [...this.#subscribed] }, 'subscriber disconnected, reconnecting');
    this.#subscribed.clear();
  }

  async #subscribe(connection: number, attempt: number): Promise<void> {
    const { logger, clock, random } = this.#options;
    const wanted = this.missing;
    const results = await Promise.allSettled(wanted.map((channel) => this.#redis.subscribe(channel)));
    if (connection !== this.#connection || this.#redis.status !== 'ready') return;
    const failed: Record<string, string> = {};
    for (const [index, channel] of wanted.entries()) {
      const result = results[index];
      if (result?.status === 'rejected') failed[channel] = String(result.reason);
      else this.#subscribed.add(channel);
    }
    if (Object.keys(failed).length === 0) {
      this.#completeSince = clock.monotonicMs();
      logger.info({ channels: [...this.#subscribed], connection }, 'subscribed');
      this.#options.onComplete();
      return;
    }
    const delayMs = backoffMs(attempt, REDIS_BACKOFF, random);
    logger.warn({ failed, attempt, delayMs }, 'channels not subscribed, trying again');
    this.#retry = clock.after(delayMs, () => void this.#subscribe(connection, attempt + 1));
  }
}
