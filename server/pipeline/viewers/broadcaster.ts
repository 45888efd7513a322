import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { abortable } from '#lib/chaos/abort.ts';
import { BreakerOpenError } from '#lib/chaos/breaker/breaker-open-error.ts';
import { systemClock, type Timer } from '#lib/chaos/clock.ts';
import { retry } from '#lib/chaos/retry/retry.ts';
import type { RecentEvent } from '#lib/protocol/state.ts';
import { VIEWER_CHANNELS } from '#lib/protocol/viewers.ts';
import type { EventRecord } from '../contracts.ts';
import { Audience } from './audience.ts';
import { ChannelSubscription } from './channel-subscription.ts';
import type { BroadcasterOptions, BroadcasterStats, ViewerBroadcaster, ViewerServer } from './contracts.ts';
import { type EventMessage, parseEventMessage } from './event-message.ts';
import { KeptEvents } from './kept-events.ts';
import { RecentEvents } from './recent-events.ts';
import { connectInBackground, createRedisClient, isRedisTimeout, REDIS_BACKOFF } from './redis-client.ts';

const BROADCASTER_DEFAULTS = {
  /** Attempts at a publish, and the wait between them (× 2 each, and up to a quarter more). */
  attempts: 3,
  baseMs: 100,
  /** Score from which an event that Redis could not take is kept and replayed. */
  criticalScore: 80,
  /** An event that has not come back through Redis by then goes to this process's viewers directly, ms. */
  echoMs: 1000,
  /** Wait between attempts to replay, ms. */
  replayMs: { 'game-day': 1000, production: 5000, test: 300 },
  /** A viewer that takes nothing of what waits for it is cut: before its pings run out, which names no reason. */
  sendTimeoutMs: { 'game-day': 4000, production: 4000, test: 1000 },
  /** A second time-out notice about the same service within this time is left out, ms. */
  noticeMs: 1000,
};

/** What a viewer channel is called in Redis. */
function redisChannel(channel: string): string {
  return `brownout:${channel}`;
}

export function createBroadcaster(options: BroadcasterOptions): ViewerBroadcaster {
  return new RedisBroadcaster(options);
}

/**
 * Events to viewers: through Redis, so that the viewers of every process get them; directly when Redis cannot.
 *
 *     publish ─► breaker, retries ─► PUBLISH ─► own subscription ─┐
 *        └─ failed, unheard or not back in time: directly ────────┴─► Audience (each version once) ─► viewers
 *        └─ failed and critical: kept, replayed once Redis is back
 */
class RedisBroadcaster implements ViewerBroadcaster {
  readonly recent = new RecentEvents();
  readonly #options: Required<Omit<BroadcasterOptions, 'keptFile'>>;
  readonly #publisher: Redis;
  readonly #subscription: ChannelSubscription;
  readonly #audience: Audience;
  readonly #kept: KeptEvents;
  readonly #closing = new AbortController();
  readonly #timers = new Set<Timer>();
  readonly #noticedAt = new Map<string, number>();
  /** Health checks that wait for their message to come back, by its text. */
  readonly #probes = new Map<string, () => void>();
  readonly #probeChannel = redisChannel(`probe:${randomUUID()}`);
  readonly #unsettled = new Set<Promise<void>>();
  #replaying = false;
  #replayTimer: Timer | undefined;
  #counts = {
    published: 0,
    direct: 0,
    unheard: 0,
    retried: 0,
    failed: 0,
    replayed: 0,
    duplicates: 0,
    malformed: 0,
  };

  constructor({ keptFile, ...given }: BroadcasterOptions) {
    this.#options = {
      profile: 'game-day',
      track: passOn,
      random: Math.random,
      clock: systemClock,
      replaySettleMs: REDIS_BACKOFF.capMs * (1 + REDIS_BACKOFF.jitterRatio),
      ...given,
    };
    const { pubsub: address, breaker, logger, profile, random, clock } = this.#options;
    this.#publisher = createRedisClient({ address, name: 'publisher', profile, logger, random });
    this.#audience = new Audience({
      clock,
      logger,
      sendTimeoutMs: BROADCASTER_DEFAULTS.sendTimeoutMs[profile],
    });
    this.#kept = new KeptEvents(keptFile, logger);
    this.#subscription = new ChannelSubscription({
      address,
      profile,
      logger,
      clock,
      random,
      channels: [...VIEWER_CHANNELS.map(redisChannel), this.#probeChannel],
      onMessage: (channel, text) => this.#received(channel, text),
      onComplete: () => this.#replaySoon(),
    });
    this.#publisher.on('ready', () => this.#replaySoon());
    breaker.on('stateChanged', ({ to }) => {
      if (to === 'CLOSED') this.#replaySoon();
    });
  }

  async start(): Promise<void> {
    await this.#kept.load();
    connectInBackground(this.#publisher);
    this.#subscription.start();
    if (this.#kept.size > 0) this.#replayAfter(BROADCASTER_DEFAULTS.replayMs[this.#options.profile]);
  }

  attach(io: ViewerServer): void {
    this.#audience.attach(io);
  }

  async publish(record: EventRecord, change: 'created' | 'updated'): Promise<void> {
    const message: EventMessage = { change, event: record };
    this.recent.remember(record);
    if (this.#closing.signal.aborted) return;
    // A publish that is held up, and one that is swallowed after it was taken, must not hold up the viewers.
    const late = new Promise<void>((resolve) => {
      this.#later(BROADCASTER_DEFAULTS.echoMs, () => {
        this.#direct(message);
        resolve();
      });
    });
    await Promise.race([this.#untilClose(this.#send(message)), late]);
  }

  notify(channel: 'service_status' | 'alerts', message: Record<string, unknown>): void {
    this.#audience.tell(channel, message);
  }

  timedOut(service: string, retryAfterMs: number): void {
    const now = this.#options.clock.monotonicMs();
    const noticedAt = this.#noticedAt.get(service);
    if (noticedAt !== undefined && now - noticedAt < BROADCASTER_DEFAULTS.noticeMs) return;
    this.#noticedAt.set(service, now);
    this.#audience.notice({ type: 'timeout', service, retryAfterMs });
  }

  stats(): BroadcasterStats {
    const isHeard = (channel: string) => this.#subscription.isSubscribed(redisChannel(channel));
    return {
      connected: this.#audience.connected,
      ...this.#counts,
      kept: this.#kept.size,
      slowConsumers: this.#audience.slowConsumers,
      reconnects: this.#subscription.reconnects,
      subscribed: VIEWER_CHANNELS.filter(isHeard),
      unsubscribed: VIEWER_CHANNELS.filter((channel) => !isHeard(channel)),
    };
  }

  recentEvents(limit = 12): RecentEvent[] {
    return this.recent.report(limit);
  }

  async healthCheck(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const missing = this.#subscription.missing.filter((channel) => channel !== this.#probeChannel);
    if (missing.length > 0) throw new Error(`Not subscribed to ${missing.join(', ')}`);
    const text = randomUUID();
    const back = new Promise<void>((resolve) => this.#probes.set(text, resolve));
    try {
      const heard = await abortable(this.#publisher.publish(this.#probeChannel, text), signal);
      if (heard === 0) throw new Error('Publish reached no subscriber');
      await abortable(back, signal);
    } finally {
      this.#probes.delete(text);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new DOMException('The broadcaster is closing', 'AbortError'));
    for (const timer of this.#timers) timer.cancel();
    this.#replayTimer?.cancel();
    this.#subscription.close();
    this.#publisher.disconnect();
    await Promise.allSettled(this.#unsettled); // what was under way is now refused, and kept when it is critical
    await this.#kept.flushed();
  }

  /** Sends with retries, and settles what became of it. Never rejects. */
  async #send(message: EventMessage): Promise<void> {
    const { logger, clock, random } = this.#options;
    const { attempts, baseMs, criticalScore } = BROADCASTER_DEFAULTS;
    const eventId = message.event.id;
    let failure: unknown;
    try {
      const heard = await retry(() => this.#attempt(message), {
        attempts,
        baseMs,
        clock,
        random,
        signal: this.#closing.signal,
        onRetry: ({ attempt, delayMs, error }) => {
          this.#counts.retried++;
          const text = isRedisTimeout(error) ? 'publish timed out' : 'publish failed';
          logger.info({ err: error, eventId, attempt, delayMs }, `${text}, trying again`);
        },
      });
      if (heard > 0) {
        this.#counts.published++;
        this.#kept.settle(message);
        return;
      }
      this.#counts.unheard++;
      logger.warn({ eventId, unheard: this.#counts.unheard }, 'publish reached no subscriber');
    } catch (error) {
      failure = error;
      this.#counts.failed++;
    }
    const critical = message.event.riskScore >= criticalScore;
    if (critical) {
      this.#kept.keep(message);
      this.#replayAfter(BROADCASTER_DEFAULTS.replayMs[this.#options.profile]);
    }
    this.#direct(message);
    if (failure instanceof BreakerOpenError) {
      logger.debug({ eventId, critical }, 'breaker open: sent directly to the viewers');
    } else if (failure !== undefined) {
      logger.warn({ err: failure, eventId, critical }, 'publish failed: sent directly to the viewers');
    }
  }

  /** One PUBLISH through the breaker; gives how many heard it. */
  #attempt(message: EventMessage): Promise<number> {
    const { breaker, track } = this.#options;
    return breaker.execute(() =>
      track(() => this.#publisher.publish(redisChannel('events'), JSON.stringify(message))),
    );
  }

  #direct(message: EventMessage): void {
    if (this.#audience.deliver({ ...message, via: 'direct' })) this.#counts.direct++;
  }

  #received(channel: string, text: string): void {
    if (channel === this.#probeChannel) {
      this.#probes.get(text)?.();
      return;
    }
    try {
      if (channel === redisChannel('events')) {
        const message = parseEventMessage(text);
        this.recent.remember(message.event);
        if (!this.#audience.deliver({ ...message, via: 'redis' })) this.#counts.duplicates++;
        return;
      }
      const data: unknown = JSON.parse(text);
      if (typeof data !== 'object' || data === null) throw new TypeError('Expected an object');
      const name = channel === redisChannel('alerts') ? 'alerts' : 'service_status';
      this.#audience.tell(name, data as Record<string, unknown>);
    } catch (error) {
      this.#counts.malformed++;
      this.#options.logger.warn({ err: error, channel }, 'message from redis not readable');
    }
  }

  #replaySoon(): void {
    if (this.#kept.size > 0) void this.#untilClose(this.#replay());
  }

  #replayAfter(delayMs: number): void {
    if (this.#closing.signal.aborted || this.#replayTimer) return; // one that is due soon is not put off
    this.#replayTimer = this.#options.clock.after(delayMs, () => {
      this.#replayTimer = undefined;
      void this.#untilClose(this.#replay());
    });
  }

  /** Publishes what was kept, oldest first, until something goes wrong. Never rejects. */
  async #replay(): Promise<void> {
    if (this.#replaying || this.#closing.signal.aborted) return;
    const { clock, replaySettleMs } = this.#options;
    const { completeSince } = this.#subscription;
    // Not before the others can hear it: nobody would know that they had not. Its return calls again.
    if (completeSince === undefined) return;
    const unsettledMs = completeSince + replaySettleMs - clock.monotonicMs();
    if (unsettledMs > 0) {
      this.#replayAfter(unsettledMs);
      return;
    }
    this.#replaying = true;
    try {
      for (let message = this.#kept.oldest(); message; message = this.#kept.oldest()) {
        const replayed = message;
        if ((await this.#attempt(replayed)) === 0) break;
        this.#later(BROADCASTER_DEFAULTS.echoMs, () => this.#direct(replayed));
        this.#counts.replayed++;
        this.#kept.settle(message);
        this.#options.logger.info({ eventId: message.event.id }, 'kept critical event replayed');
      }
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'kept events wait for redis');
    } finally {
      this.#replaying = false;
      if (this.#kept.size > 0) this.#replayAfter(BROADCASTER_DEFAULTS.replayMs[this.#options.profile]);
    }
  }

  /** `close` waits for it. */
  async #untilClose(work: Promise<void>): Promise<void> {
    this.#unsettled.add(work);
    try {
      await work;
    } finally {
      this.#unsettled.delete(work);
    }
  }

  #later(delayMs: number, callback: () => void): void {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
  }
}

function passOn<T>(call: () => Promise<T>): Promise<T> {
  return call();
}
