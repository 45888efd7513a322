import type { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import { abortable } from '#lib/chaos/abort.ts';
import { type Clock, systemClock } from '#lib/chaos/clock.ts';
import type { CacheOptions, CacheStatus, ViewerCache } from './contracts.ts';
import { connectInBackground, createRedisClient, isRedisTimeout } from './redis-client.ts';

export const CACHE_DEFAULTS = {
  /** Life of every entry, in Redis and in the process. */
  ttlMs: 300_000,
  /** Entries kept in the process. */
  maxEntries: 1000,
};

/** How long a health check waits for a lost connection to come back before its second try, ms. */
const SECOND_TRY_MS = 400;

const PREFIX = 'brownout:cache:';

/** Deletes a key only while it holds the given value. */
const COMPARE_AND_DELETE =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

/**
 * What the process itself knows of a key. `owed` to Redis are values to be set, claims to be set unless somebody holds
 * them, and claims to be given back; `sent` ones are on their way.
 */
interface Entry {
  readonly kind: 'value' | 'claim' | 'released';
  readonly text: string;
  /** Monotonic. */
  readonly expiresAt: number;
  state: 'owed' | 'sent' | 'written';
}

/**
 * Redis first; the process's own LRU while Redis is unreachable; nothing at all for a call that times out.
 *
 * The LRU mirrors what this process wrote, so that a hash claimed before an outage still counts during it, and what
 * was written during an outage goes to Redis, with the life it has left, as soon as Redis is back.
 */
export function createCache(options: CacheOptions): ViewerCache {
  const { logger, profile = 'game-day', clock = systemClock, track = (call) => call() } = options;
  const redis = createRedisClient({
    address: options.redis,
    name: 'cache',
    profile,
    logger,
    random: Math.random,
  });
  const mirror = new Mirror(clock);
  const counts = { skipped: 0, fallbacks: 0, writtenBack: 0 };

  /** Runs `remote` on Redis; `local` answers when Redis is unreachable, `skip` when it does not answer in time. */
  async function through<T>(remote: () => Promise<T>, local: () => T, skip: () => T): Promise<T> {
    try {
      const answer = await track(remote);
      if (mirror.mayOwe) writeBack();
      return answer;
    } catch (error) {
      if (isRedisTimeout(error)) {
        counts.skipped++;
        logger.debug({ err: error, skipped: counts.skipped }, 'cache skipped');
        return skip();
      }
      counts.fallbacks++;
      return local();
    }
  }

  /** Sends what is owed in one pipeline, ahead of any later call on this connection: nothing newer is overwritten. */
  function writeBack(): void {
    const owed = mirror.takeOwed();
    if (owed.length === 0) return;
    const pipeline = redis.pipeline();
    for (const { key, entry, leftMs } of owed) {
      if (entry.kind === 'released') pipeline.eval(COMPARE_AND_DELETE, 1, PREFIX + key, entry.text);
      else if (entry.kind === 'claim') pipeline.set(PREFIX + key, entry.text, 'PX', leftMs, 'NX');
      else pipeline.set(PREFIX + key, entry.text, 'PX', leftMs);
    }
    const settle = (answers: readonly [error: Error | null, result: unknown][] | null) => {
      let written = 0;
      for (const [index, { entry }] of owed.entries()) {
        if (answers?.[index]?.[0] === null) {
          entry.state = 'written';
          written++;
        } else {
          mirror.owe(entry);
        }
      }
      counts.writtenBack += written;
      logger.info({ written, owed: owed.length }, 'cache written back to redis');
    };
    pipeline.exec().then(settle, () => settle(null));
  }

  redis.on('ready', writeBack);
  connectInBackground(redis);

  const { ttlMs } = CACHE_DEFAULTS;
  const remember = (key: string, text: string): Promise<void> => {
    // In the mirror before it is sent: a write-back that runs meanwhile must not find an older value.
    const entry = mirror.put(key, { kind: 'value', text, state: 'sent' });
    return through(
      async () => {
        await redis.set(PREFIX + key, text, 'PX', ttlMs);
        entry.state = 'written';
      },
      () => mirror.owe(entry),
      () => mirror.owe(entry),
    );
  };
  const recall = (key: string): Promise<string | undefined> =>
    through(
      async () => (await redis.get(PREFIX + key)) ?? undefined,
      () => mirror.get(key),
      () => undefined,
    );

  return {
    remember,
    recall,

    claimHash(sha256, uploadId) {
      const key = `hash:${sha256}`;
      return through(
        async () => {
          for (;;) {
            const set = await redis.set(PREFIX + key, uploadId, 'PX', ttlMs, 'NX');
            const holder = set === 'OK' ? uploadId : await redis.get(PREFIX + key);
            if (holder === null) continue; // it expired between the two
            mirror.put(key, { kind: 'claim', text: holder, state: 'written' });
            return holder;
          }
        },
        () => {
          const holder = mirror.get(key);
          if (holder !== undefined) return holder;
          mirror.put(key, { kind: 'claim', text: uploadId, state: 'owed' });
          return uploadId;
        },
        () => uploadId,
      );
    },

    async releaseHash(sha256, uploadId) {
      const key = `hash:${sha256}`;
      if (mirror.get(key) === uploadId) mirror.delete(key);
      await through(
        async () => {
          await redis.eval(COMPARE_AND_DELETE, 1, PREFIX + key, uploadId);
        },
        () => {
          if (mirror.get(key) === undefined)
            mirror.put(key, { kind: 'released', text: uploadId, state: 'owed' });
        },
        () => {},
      );
    },

    async lastScore(camera) {
      const text = await recall(`score:${camera}`);
      const score = Number(text);
      return text === undefined || !Number.isFinite(score) ? undefined : score;
    },

    setLastScore: (camera, score) => remember(`score:${camera}`, String(score)),

    status(): CacheStatus {
      return {
        tier: redis.status === 'ready' ? 'redis' : 'memory',
        entries: mirror.size,
        unwritten: mirror.owed,
        ...counts,
      };
    },

    async healthCheck(signal) {
      signal.throwIfAborted();
      try {
        await abortable(redis.ping(), signal);
      } catch (error) {
        // One lost connection or refused command is not an outage: it counts when the second try fails as well.
        if (signal.aborted || isRedisTimeout(error) || !(await isReadyWithin(redis, SECOND_TRY_MS)))
          throw error;
        await abortable(redis.ping(), signal);
      }
    },

    async close() {
      redis.disconnect();
    },
  };
}

async function isReadyWithin(redis: Redis, waitMs: number): Promise<boolean> {
  // After a kill the status says ready until the close has been seen.
  if (redis.status === 'ready' && redis.stream.writable) return true;
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer);
      redis.off('ready', settle);
      resolve(redis.status === 'ready');
    };
    const timer = setTimeout(settle, waitMs);
    redis.once('ready', settle);
  });
}

/** The process's own copy, bounded and forgetful. */
class Mirror {
  readonly #clock: Clock;
  readonly #entries = new LRUCache<string, Entry>({ max: CACHE_DEFAULTS.maxEntries });
  #mayOwe = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False: nothing is owed, without looking. */
  get mayOwe(): boolean {
    return this.#mayOwe;
  }

  get size(): number {
    return this.#entries.size;
  }

  put(key: string, given: Omit<Entry, 'expiresAt'>): Entry {
    const entry = { ...given, expiresAt: this.#clock.monotonicMs() + CACHE_DEFAULTS.ttlMs };
    this.#entries.set(key, entry);
    if (entry.state === 'owed') this.#mayOwe = true;
    return entry;
  }

  owe(entry: Entry): void {
    entry.state = 'owed';
    this.#mayOwe = true;
  }

  get(key: string): string | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.kind === 'released') return undefined;
    if (entry.expiresAt > this.#clock.monotonicMs()) return entry.text;
    this.#entries.delete(key);
    return undefined;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  get owed(): number {
    let owed = 0;
    if (this.#mayOwe) for (const entry of this.#entries.values()) if (entry.state === 'owed') owed++;
    return owed;
  }

  /** What Redis does not have yet, oldest first; it now counts as sent. */
  takeOwed(): { key: string; entry: Entry; leftMs: number }[] {
    this.#mayOwe = false;
    const now = this.#clock.monotonicMs();
    const owed: { key: string; entry: Entry; leftMs: number }[] = [];
    for (const [key, entry] of [...this.#entries.entries()].reverse()) {
      if (entry.state !== 'owed') continue;
      entry.state = 'sent';
      const leftMs = Math.floor(entry.expiresAt - now);
      if (leftMs > 0) owed.push({ key, entry, leftMs });
    }
    return owed;
  }
}
