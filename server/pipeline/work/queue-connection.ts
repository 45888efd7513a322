import type { RedisOptions } from 'bullmq';
import type { DependencyAddress } from '#server/dependency-addresses.ts';
import { redisAddressOptions } from '../dependencies/redis-connector.ts';

export interface RedisAddress extends DependencyAddress {
  /** null: none. */
  password: string | null;
}

const retryStrategy = (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), 1000);

/** For adding jobs: fails fast, sends nothing again by itself (a fixed job id makes our own repetition harmless). */
export function producerConnection(redis: RedisAddress, timeoutMs: number): RedisOptions {
  return {
    ...address(redis),
    commandTimeout: timeoutMs,
    connectTimeout: timeoutMs * 2,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    autoResendUnfulfilledCommands: false,
    retryStrategy,
  };
}

/** For taking jobs: waits for ever, but notices a connection that died silently. */
export function workerConnection(redis: RedisAddress, timeoutMs: number): RedisOptions {
  return {
    ...address(redis),
    maxRetriesPerRequest: null,
    connectTimeout: timeoutMs * 2,
    socketTimeout: Math.max(5000, DRAIN_DELAY_SECONDS * 1000 + timeoutMs * 2),
    retryStrategy,
  };
}

/** How long the worker's blocking read waits for a job, s. Must stay below its socket time-out. */
export const DRAIN_DELAY_SECONDS = 2;

function address({ password, ...where }: RedisAddress): RedisOptions {
  return { ...redisAddressOptions(where), ...(password === null ? {} : { password }) };
}
