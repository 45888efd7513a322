import { Redis } from 'ioredis';
import type { Random } from '#lib/chaos/random.ts';
import { type BackoffOptions, backoffMs, RECONNECT_BACKOFF } from '#lib/chaos/retry/backoff.ts';
import type { Logger } from '#server/logging.ts';
import { redisAddressOptions } from '../dependencies/redis-connector.ts';
import type { Profile, RedisAddress } from './contracts.ts';

export interface RedisClientOptions {
  address: RedisAddress;
  /** What it is for; in the log and in CLIENT LIST. */
  name: string;
  profile: Profile;
  logger: Logger;
  /** Source of jitter. */
  random: Random;
}

/** Longest wait for one answer and for a connection, ms. */
const REDIS_TIMEOUTS: Record<Profile, { commandMs: number; connectMs: number }> = {
  'game-day': { commandMs: 1000, connectMs: 1000 },
  production: { commandMs: 5000, connectMs: 2000 },
  test: { commandMs: 500, connectMs: 500 },
};

/** Waits between attempts to connect or subscribe again: 0.1, 0.2, 0.4 … 2 s, and up to a quarter more. */
export const REDIS_BACKOFF: BackoffOptions = { ...RECONNECT_BACKOFF, capMs: 2000 };

/**
 * A client that fails fast: nothing waits for a connection, nothing is sent twice, an answer that does not come is a
 * time-out, and a connection on which nothing comes any more is replaced.
 */
export function createRedisClient({ address, name, profile, logger, random }: RedisClientOptions): Redis {
  const { commandMs, connectMs } = REDIS_TIMEOUTS[profile];
  const client = new Redis({
    ...redisAddressOptions(address),
    ...(address.password === null ? {} : { password: address.password }),
    connectionName: `brownout-${name}`,
    disableClientInfo: true, // Redis before 7.2 answers it with an error
    lazyConnect: true,
    connectTimeout: connectMs,
    commandTimeout: commandMs,
    socketTimeout: Math.round(commandMs * 2.5),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0, // a lost connection fails its commands at once instead of after the time-out
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    retryStrategy: (attempt) => Math.round(backoffMs(attempt, REDIS_BACKOFF, random)),
  });
  let down = false;
  client.on('error', (error: Error) => {
    if (down) logger.debug({ err: error, client: name }, 'redis still unreachable');
    else logger.warn({ err: error, client: name }, 'redis unreachable');
    down = true;
  });
  client.on('ready', () => {
    if (down) logger.info({ client: name }, 'redis is back');
    down = false;
  });
  return client;
}

/** Connects in the background; a Redis that is down is only tried again. */
export function connectInBackground(client: Redis): void {
  client.connect().catch(() => {}); // told by the client's `error` event
}

/** No answer in time: the command may have had its effect. Everything else means that it was refused. */
export function isRedisTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Command timed out';
}
