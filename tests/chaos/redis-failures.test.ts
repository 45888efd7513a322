import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest';
import { DegradationManager } from '#lib/chaos/degradation/degradation-manager.ts';
import { DiskTier } from '#lib/chaos/fallback/disk-tier.ts';
import { FallbackChain, type FallbackChainSetup } from '#lib/chaos/fallback/fallback-chain.ts';
import { MemoryTier } from '#lib/chaos/fallback/memory-tier.ts';
import { retry } from '#lib/chaos/retry/retry.ts';
import type { Mode } from '#lib/protocol/state.ts';
import {
  allAiServicesDown,
  cacheAndAiDown,
  redisTimeout,
  redisUnavailable,
} from '#tests/support/fault-presets.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import {
  calmScenariosOf,
  directRedis,
  factsSince,
  healthOf,
  job,
  jobs,
  listOf,
  makeFolder,
  redisThrough,
  reportOf,
  untilFacts,
  untilLogHas,
  untilModeOf,
  viewerOf,
} from './real-parts.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ env: { PROFILE: 'test' } });
});
afterAll(() => system?.close());

const scenario = calmScenariosOf('redis-failures', () => system);

/** Real refusals of the writes of a list alone: the pipeline itself does not use the command. */
const refusePushes = () =>
  system.startFault('redis', 'error_reply', { params: { kind: 'OOM' }, match: { command: 'RPUSH' } });

type Setup = FallbackChainSetup<{ camera: string }>;

/** A fallback chain in front of a list in the system's Redis, with what Redis itself holds of it. */
async function chainOn(options: Pick<Setup, 'tiers'> & Partial<Setup>) {
  const key = `scenario:${crypto.randomUUID()}`;
  // Patient: a push that was given up and done all the same would be there twice.
  const client = await redisThrough(system, { profile: 'production' });
  const direct = await directRedis(system);
  const chain = new FallbackChain<{ camera: string }>({
    type: 'scenario',
    primary: listOf(client, key),
    overflow: 'reject',
    ...options,
  });
  onTestFinished(() => chain.close());
  const drained = (ids: string[]) =>
    until('the chain has drained', 10_000, async () => {
      if (chain.parked > 0) return undefined;
      expect(await direct.lrange(key, 0, -1)).toEqual(ids);
      return true;
    });
  return { chain, drained, inRedis: () => direct.lrange(key, 0, -1) };
}

async function enqueueAll(chain: FallbackChain<{ camera: string }>, count: number): Promise<string[]> {
  const tiers: string[] = [];
  for (const each of jobs(count)) tiers.push(await chain.enqueue(each));
  return tiers;
}

const untilMode = (mode: Mode) => untilModeOf(system, mode);

const untilHealthy = (healthy: boolean, service = 'redis') =>
  until(`${service} is ${healthy ? 'up' : 'down'}`, 10_000, async () => {
    const found = await healthOf(system, service);
    return found.healthy === healthy ? found : undefined;
  });

/** A manager of the test's own that asks Redis through its proxy. */
async function managerOfRedis(options: { checkTimeoutMs?: number } = {}) {
  const client = await redisThrough(system, { profile: 'production' });
  const manager = new DegradationManager({ failureThreshold: 3, recoveryThreshold: 1, ...options });
  manager.register({ name: 'redis', critical: true, check: async () => void (await client.ping()) });
  const redis = () => manager.services()[0];
  return { manager, redis };
}

describe('redis failures', () => {
  scenario('degradation-manager-detects-redis-failure', async (prove) => {
    const since = Date.now();
    const fault = await redisUnavailable(system);
    await prove({
      faults: fault,
      behaviour: async () => {
        const health = await untilHealthy(false);
        expect(health).toMatchObject({ critical: true, origin: 'injected', error: expect.any(String) });
        const told = { service: 'redis', healthy: false, origin: 'injected' };
        await untilFacts(system, fault, 'serviceChanged', (changes) =>
          expect(changes).toContainEqual(expect.objectContaining(told)),
        );
        await untilLogHas(system, since, expect.objectContaining(told));
      },
      recovery: async () => {
        await untilHealthy(true);
        await untilMode('NORMAL');
      },
    });
  });

  scenario('fallback-queue-stores-items-on-disk', async (prove) => {
    const folder = await makeFolder();
    const { chain, drained, inRedis } = await chainOn({ tiers: [await DiskTier.open(folder)] });
    await prove({
      faults: await refusePushes(),
      behaviour: async () => {
        expect(await enqueueAll(chain, 5)).toEqual(Array(5).fill('disk'));
        expect(await inRedis()).toEqual([]);
        const reader = await DiskTier.open(folder); // what another process would find
        expect((await reader.peek(10)).map(({ id }) => id)).toEqual(['1', '2', '3', '4', '5']);
        await reader.close();
      },
      recovery: () => drained(['1', '2', '3', '4', '5']).then(() => {}),
    });
  });

  scenario('fallback-queue-respects-max-size', async (prove) => {
    const tier = await DiskTier.open<{ camera: string }>(await makeFolder(), { max: 3 });
    // What a drain is offering is not given up: on a slow disk one would begin before all are placed.
    let drains = false;
    const isReady = () => drains;
    const { chain, drained } = await chainOn({ tiers: [tier], overflow: 'drop-oldest', isReady });
    const dropped: string[] = [];
    chain.on('dropped', (each) => dropped.push(each.job.id));
    await prove({
      faults: await refusePushes(),
      behaviour: async () => {
        await expect(enqueueAll(chain, 5)).resolves.toHaveLength(5);
        expect((await tier.peek(10)).map(({ id }) => id)).toEqual(['3', '4', '5']);
        expect(chain.status()).toMatchObject({ parked: 3, dropped: 2 });
        expect({ dropped, ids: [...chain.droppedIds()] }).toEqual({ dropped: ['1', '2'], ids: ['1', '2'] });
      },
      recovery: async () => {
        drains = true;
        await drained(['3', '4', '5']);
      },
    });
  });

  scenario('memory-queue-fallback-when-redis-fails', async (prove) => {
    const { chain, drained } = await chainOn({
      tiers: [new MemoryTier(), await DiskTier.open(await makeFolder())],
    });
    await prove({
      faults: await redisUnavailable(system),
      behaviour: async () => {
        expect(await enqueueAll(chain, 3)).toEqual(['memory', 'memory', 'memory']);
        await until('uploads wait in the memory of the pipeline', 10_000, async () => {
          const { queues } = await reportOf(system);
          return queues.some(({ tier, tiers }) => tier === 'memory' && tiers.memory > 0) || undefined;
        });
      },
      recovery: async () => {
        await drained(['1', '2', '3']);
        await until('the queues of the pipeline are in Redis again', 10_000, async () => {
          const { queues } = await reportOf(system);
          return queues.every(({ tier }) => tier === 'redis') || undefined;
        });
      },
    });
  });

  scenario('redis-client-with-retry-handles-timeout', async (prove) => {
    const client = await redisThrough(system);
    const direct = await directRedis(system);
    await direct.set('scenario:retry', 'kept', 'EX', 60);
    const failures: string[] = [];
    const read = () =>
      retry(() => client.getrange('scenario:retry', 0, -1), {
        attempts: 3,
        baseMs: 2000, // until the connection that was held has been replaced
        factor: 1,
        onRetry: ({ error }) => failures.push((error as Error).message),
      });
    const fault = await system.startFault('redis', 'timeout', {
      params: { delayMs: 1000 }, // long after the client has given up, and over before it tries again
      match: { command: 'GETRANGE' },
      failFirst: 2,
    });
    await prove({
      faults: fault,
      behaviour: async () => {
        await expect(read()).resolves.toBe('kept');
        expect(failures).toEqual(['Command timed out', 'Command timed out']);
      },
      recovery: async () => {
        await expect(read()).resolves.toBe('kept');
        expect(failures).toHaveLength(2);
      },
    });
  });

  scenario('mode-transitions-based-on-service-health', async (prove) => {
    const faults = await allAiServicesDown(system);
    await prove({
      faults,
      behaviour: async () => {
        await untilMode('DEGRADED');
        const { consecutiveFailures } = await untilHealthy(false, 'nemotron');
        await until('three more rounds were made', 10_000, async () => {
          const now = await healthOf(system, 'nemotron');
          return now.consecutiveFailures >= consecutiveFailures + 3 || undefined;
        });
        const changes = await factsSince(system, faults[0], 'modeChanged');
        expect(changes.map(({ from, to }) => [from, to])).toEqual([['NORMAL', 'DEGRADED']]);
        expect(changes[0]?.causes).toContainEqual(
          expect.objectContaining({
            service: expect.stringMatching(/^(yolo26|nemotron)$/),
            origin: 'injected',
          }),
        );
      },
      recovery: () => untilMode('NORMAL').then(() => {}),
    });
  });

  scenario('critical-service-failure-triggers-minimal-mode', async (prove) => {
    const faults = await cacheAndAiDown(system);
    await prove({
      faults,
      behaviour: async () => {
        await untilMode('MINIMAL');
        await untilFacts(system, faults[0], 'modeChanged', (changes) =>
          expect(changes.map(({ from, to }) => [from, to])).toEqual([
            ['NORMAL', 'DEGRADED'],
            ['DEGRADED', 'MINIMAL'],
          ]),
        );
        expect((await reportOf(system)).queues.map(({ paused }) => paused)).toEqual([true, true]);
      },
      recovery: () => untilMode('NORMAL').then(() => {}),
    });
  });

  scenario('recovery-restores-normal-mode', async (prove) => {
    const fault = await redisTimeout(system);
    await prove({
      faults: fault,
      behaviour: () => untilMode('MINIMAL').then(() => {}),
      recovery: async () => {
        await untilMode('NORMAL');
        await untilFacts(system, fault, 'modeChanged', (changes) => {
          expect(changes.slice(-2)).toEqual([
            expect.objectContaining({ from: 'MINIMAL', to: 'DEGRADED' }),
            expect.objectContaining({ from: 'DEGRADED', to: 'NORMAL' }),
          ]);
          expect(changes.at(-1)?.causes).toContainEqual({
            service: 'redis',
            origin: 'injected',
            text: 'redis is up again',
          });
        });
        await until('no queue is paused', 10_000, async () => {
          return (await reportOf(system)).queues.every(({ paused }) => !paused) || undefined;
        });
      },
    });
  });

  scenario('queue-with-fallback-uses-disk-when-redis-fails', async (prove) => {
    const folder = await makeFolder();
    const { chain, drained } = await chainOn({ tiers: [new MemoryTier(2), await DiskTier.open(folder)] });
    await prove({
      faults: await system.startFault('redis', 'unavailable'),
      behaviour: async () => {
        await expect(enqueueAll(chain, 5)).resolves.toEqual(['memory', 'memory', 'disk', 'disk', 'disk']);
        const segments = (await readdir(folder)).filter((name) => name.endsWith('.log'));
        const text = await Promise.all(segments.map((name) => readFile(join(folder, name), 'utf8')));
        expect(text.join('').match(/trace-\d/g)).toEqual(['trace-3', 'trace-4', 'trace-5']);
      },
      recovery: () => drained(['1', '2', '3', '4', '5']).then(() => {}),
    });
  });

  scenario('drain-fallback-queue-restores-to-redis', async (prove) => {
    const folder = await makeFolder();
    const { chain, drained, inRedis } = await chainOn({ tiers: [await DiskTier.open(folder)] });
    const counts: number[] = [];
    chain.on('drained', ({ count }) => counts.push(count));
    const ids = jobs(20).map(({ id }) => id);
    await prove({
      faults: await refusePushes(),
      behaviour: async () => {
        await enqueueAll(chain, 20);
        await chain.drain(); // Redis still refuses
        expect({ parked: chain.parked, inRedis: await inRedis() }).toEqual({ parked: 20, inRedis: [] });
        expect(chain.status().lastError).toMatch(/^OOM command not allowed/);
      },
      recovery: async () => {
        await drained(ids);
        await until('the chain has told so', 10_000, () => counts.length > 0 || undefined);
        expect(counts).toEqual([20]);
        expect(await chain.enqueue(job('21'))).toBe('redis');
        const reader = await DiskTier.open(folder);
        expect(reader.size).toBe(0);
        await reader.close();
      },
    });
  });

  scenario('service-health-tracks-consecutive-failures', async (prove) => {
    const { manager, redis } = await managerOfRedis();
    await prove({
      faults: await system.startFault('redis', 'error_reply', { params: { kind: 'LOADING' } }),
      behaviour: async () => {
        const seen: unknown[] = [];
        for (let round = 1; round <= 4; round++) {
          await manager.runRound();
          seen.push([redis()?.consecutiveFailures, redis()?.healthy]);
        }
        expect(seen).toEqual([
          [1, true],
          [2, true],
          [3, false],
          [4, false],
        ]);
        await until('the pipeline counts too', 10_000, async () => {
          return (await healthOf(system, 'redis')).consecutiveFailures >= 3 || undefined;
        });
      },
      recovery: async () => {
        await manager.runRound();
        expect(redis()).toMatchObject({ consecutiveFailures: 0, healthy: true });
        expect((await untilHealthy(true)).consecutiveFailures).toBe(0);
      },
    });
  });

  scenario('health-check-timeout-handling', async (prove) => {
    const { manager, redis } = await managerOfRedis({ checkTimeoutMs: 300 });
    await prove({
      faults: await system.startFault('redis', 'latency', { params: { latencyMs: 900 } }),
      behaviour: async () => {
        for (let round = 1; round <= 3; round++) await manager.runRound();
        expect(redis()).toMatchObject({
          healthy: false,
          consecutiveFailures: 3,
          error: 'Check of redis took longer than 300 ms',
        });
        expect((await untilHealthy(false)).error).toMatch(/timed out|took longer/);
      },
      recovery: async () => {
        await until('a check is in time again', 5000, async () => {
          await manager.runRound();
          return redis()?.healthy || undefined;
        });
        await untilHealthy(true);
      },
    });
  });

  scenario('status-reports-all-components', async (prove) => {
    const health = async () =>
      (await (await fetch(`${system.backendUrl}/api/health`)).json()) as Record<string, unknown>;
    await prove({
      faults: await redisUnavailable(system),
      behaviour: async () => {
        await untilMode('MINIMAL');
        const status = await health();
        expect(status).toMatchObject({
          status: 'degraded',
          mode: { mode: 'MINIMAL' },
          pools: [{ name: 'database', size: 5 }],
          ledger: { lost: 0, doubled: 0 },
          cache: { tier: 'memory' },
        });
        const { causes } = status['mode'] as { causes: { service: string; origin: string }[] };
        expect(causes.map(({ service, origin }) => `${service} ${origin}`)).toContain('redis injected');
        const names = (part: unknown) => (part as { name: string }[]).map(({ name }) => name).toSorted();
        expect(names(status['services'])).toEqual(
          ['database', 'ftp', 'gpu', 'nemotron', 'pubsub', 'redis', 'yolo26'].toSorted(),
        );
        expect(names(status['queues'])).toEqual(['analysis', 'detection']);
        expect(names((await reportOf(system)).breakers)).toEqual([
          'broadcaster',
          'database',
          'nemotron',
          'redis',
          'yolo26',
        ]);
      },
      recovery: async () => {
        await untilMode('NORMAL');
        await until('all is well', 10_000, async () => {
          expect(await health()).toMatchObject({ status: 'ok', cache: { tier: 'redis' } });
          return true;
        });
      },
    });
  });

  scenario('available-features-reduces-with-degradation', async (prove) => {
    const viewer = await viewerOf(system.backendUrl);
    const told: { mode: unknown; features: unknown }[] = [];
    viewer.on('service_status', ({ data }) => told.push({ mode: data['mode'], features: data['features'] }));
    const features = async () => (await reportOf(system)).mode.features;
    told.length = 0;
    expect(await features()).toEqual(['detection', 'analysis', 'events', 'media', 'ingest']);
    const yolo26 = await system.startFault('yolo26', 'unavailable');
    await untilMode('DEGRADED');
    expect(await features()).toEqual(['analysis', 'events', 'media', 'ingest']);
    await prove({
      faults: [yolo26, await redisUnavailable(system)],
      behaviour: async () => {
        await untilMode('MINIMAL');
        expect(await features()).toEqual(['media', 'ingest']);
        await until('the viewers were told', 5000, () => told.length >= 2 || undefined);
        expect(told).toEqual([
          { mode: 'DEGRADED', features: ['analysis', 'events', 'media', 'ingest'] },
          { mode: 'MINIMAL', features: ['media', 'ingest'] },
        ]);
      },
      recovery: async () => {
        await untilMode('NORMAL');
        expect(await features()).toEqual(['detection', 'analysis', 'events', 'media', 'ingest']);
      },
    });
  });

  scenario('memory-queue-drops-oldest-on-overflow', async (prove) => {
    const tier = new MemoryTier<{ camera: string }>(3);
    const { chain, drained } = await chainOn({ tiers: [tier], overflow: 'drop-oldest' });
    const dropped: string[] = [];
    chain.on('dropped', (each) => dropped.push(each.job.id));
    await prove({
      faults: await refusePushes(),
      behaviour: async () => {
        await expect(enqueueAll(chain, 5)).resolves.toEqual(Array(5).fill('memory'));
        expect([...tier.ids()]).toEqual(['3', '4', '5']);
        expect({ dropped, count: chain.status().dropped }).toEqual({ dropped: ['1', '2'], count: 2 });
      },
      recovery: () => drained(['3', '4', '5']).then(() => {}),
    });
  });
});
