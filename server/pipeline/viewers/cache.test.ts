import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { createCache } from './cache.ts';
import type { ViewerCache } from './contracts.ts';
import { startTestRelay } from './test-relay.ts';

const logger = pino({ level: 'silent' });
const PREFIX = 'brownout:cache:';

describe('createCache', () => {
  let server: TestRedis;
  let redis: Redis;
  const caches: ViewerCache[] = [];

  const makeCache = (port = server.port) => {
    const cache = createCache({ redis: { host: '127.0.0.1', port, password: null }, logger });
    caches.push(cache);
    return cache;
  };
  const ready = (cache: ViewerCache) =>
    vi.waitFor(() => expect(cache.status().tier).toBe('redis'), { timeout: 10_000, interval: 20 });

  beforeAll(async () => {
    server = await startTestRedis();
    redis = new Redis(server.port, server.host, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    redis.on('error', () => {});
  });
  afterEach(async () => {
    for (const cache of caches.splice(0)) await cache.close();
  });
  afterAll(async () => {
    redis.disconnect();
    await server.close();
  });

  it('gives a hash to the first upload that claims it, for 300 s', async () => {
    const cache = makeCache();
    await ready(cache);
    const other = makeCache();
    await ready(other);

    expect(await cache.claimHash('aa', 'upload-1')).toBe('upload-1');
    expect(await cache.claimHash('aa', 'upload-1')).toBe('upload-1');
    expect(await other.claimHash('aa', 'upload-2')).toBe('upload-1');
    const leftMs = await redis.pttl(`${PREFIX}hash:aa`);
    expect(leftMs).toBeGreaterThan(295_000);
    expect(leftMs).toBeLessThanOrEqual(300_000);
  });

  it('takes a claim back only from the upload that holds it', async () => {
    const cache = makeCache();
    await ready(cache);
    await cache.claimHash('bb', 'upload-1');

    await cache.releaseHash('bb', 'upload-2');
    expect(await cache.claimHash('bb', 'upload-3')).toBe('upload-1');
    await cache.releaseHash('bb', 'upload-1');
    expect(await cache.claimHash('bb', 'upload-3')).toBe('upload-3');
  });

  it('takes one lost connection for no outage, and a refused port for one', async () => {
    const cache = makeCache();
    await ready(cache);
    // Again when the machine was too slow: it has to be back within the 400 ms that a check waits.
    const isWellAfterLoss = async () => {
      await ready(cache);
      const [, id] = /id=(\d+) .*name=brownout-cache/.exec(String(await redis.client('LIST'))) ?? [];
      await redis.client('KILL', 'ID', String(id));
      await cache.healthCheck(AbortSignal.timeout(5000));
    };
    await expect(vi.waitFor(isWellAfterLoss, 15_000)).resolves.toBeUndefined();
    await expect(makeCache(1).healthCheck(AbortSignal.timeout(1000))).rejects.toThrow(
      /writeable|closed|refused/i,
    );
  });

  it('remembers the last score of a camera', async () => {
    const cache = makeCache();
    await ready(cache);

    expect(await cache.lastScore('gate')).toBeUndefined();
    await cache.setLastScore('gate', 73);
    expect(await cache.lastScore('gate')).toBe(73);
    expect(await cache.lastScore('yard')).toBeUndefined();
  });

  it('goes on in the process while Redis is refused and writes back when it returns', async () => {
    const cache = makeCache();
    await ready(cache);
    await cache.claimHash('before', 'upload-1');
    await cache.claimHash('given-back', 'upload-9');
    await server.kill();
    await vi.waitFor(() => expect(cache.status().tier).toBe('memory'), { timeout: 8000, interval: 10 });

    expect(await cache.claimHash('before', 'upload-2')).toBe('upload-1'); // claimed before the outage
    expect(await cache.claimHash('during', 'upload-3')).toBe('upload-3');
    expect(await cache.claimHash('during', 'upload-4')).toBe('upload-3');
    await cache.releaseHash('given-back', 'upload-9');
    await cache.setLastScore('door', 41);
    expect(await cache.lastScore('door')).toBe(41);
    expect(cache.status()).toMatchObject({ tier: 'memory', unwritten: 3, skipped: 0 });
    expect(cache.status().fallbacks).toBeGreaterThanOrEqual(6);

    await server.restart();
    await ready(cache);
    await vi.waitFor(() => expect(cache.status()).toMatchObject({ unwritten: 0, writtenBack: 3 }), {
      timeout: 10_000,
      interval: 20,
    });
    expect(await redis.get(`${PREFIX}hash:during`)).toBe('upload-3');
    expect(await redis.get(`${PREFIX}score:door`)).toBe('41');
    expect(await redis.get(`${PREFIX}hash:given-back`)).toBeNull();
    expect(await redis.pttl(`${PREFIX}hash:during`)).toBeLessThan(300_000);
  });

  it('keeps at most 1 000 entries in the process', async () => {
    const cache = makeCache(1); // nothing listens there
    await Promise.all(Array.from({ length: 1010 }, (_, n) => cache.setLastScore(`camera-${n}`, n)));

    expect(cache.status().entries).toBe(1000);
    expect(await cache.lastScore('camera-0')).toBeUndefined();
    expect(await cache.lastScore('camera-1009')).toBe(1009);
  });

  it('skips the cache for a call that times out, then goes on with Redis', async () => {
    const relay = await startTestRelay(server.port);
    const cache = makeCache(relay.port);
    await ready(cache);
    await cache.claimHash('held', 'upload-1');
    relay.hold();

    const startedAt = performance.now();
    expect(await cache.claimHash('held', 'upload-2')).toBe('upload-2'); // no cache, so no duplicate either
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    expect(performance.now() - startedAt).toBeLessThan(3500);
    expect(cache.status()).toMatchObject({ skipped: 1, fallbacks: 0 });

    relay.release();
    await vi.waitFor(async () => expect(await cache.claimHash('held', 'upload-3')).toBe('upload-1'), {
      timeout: 10_000,
      interval: 50,
    });
    await relay.close();
  });

  it('replaces a connection on which nothing arrives any more', async () => {
    const relay = await startTestRelay(server.port);
    const cache = makeCache(relay.port);
    await ready(cache);
    const { accepted } = relay;
    relay.hold();

    expect(await cache.claimHash('cc', 'upload-1')).toBe('upload-1');
    await vi.waitFor(() => expect(relay.accepted).toBeGreaterThan(accepted), {
      timeout: 10_000,
      interval: 20,
    });
    await relay.close();
  });

  it('answers a health check with Redis only', async () => {
    const cache = makeCache();
    await ready(cache);
    await expect(cache.healthCheck(AbortSignal.timeout(5000))).resolves.toBeUndefined();
    await expect(makeCache(1).healthCheck(AbortSignal.timeout(1000))).rejects.toThrow();
  });
});
