import { type Job, Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceName } from '#lib/chaos/faults/fault.ts';
import type { FaultSpecOptions } from '#tests/support/fault-spec.ts';
import { startProxyHarness } from '#tests/support/proxy-harness.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { until } from '#tests/support/until.ts';

/** Jobs that are added under the fault, as far as there is time for them. */
const JOBS = 20;
/** How long the fault lasts, ms. */
const FAULT_MS = 500;

interface Case extends FaultSpecOptions {
  service: ServiceName;
  type: string;
}

const CASES: readonly Case[] = [
  { service: 'redis', type: 'timeout', params: { delayMs: 200 }, ratio: 0.1 },
  { service: 'redis', type: 'timeout', ratio: 1 },
  { service: 'redis', type: 'connection_error', ratio: 1 },
  { service: 'redis', type: 'server_error' },
  { service: 'redis', type: 'intermittent' },
  { service: 'redis', type: 'latency', params: { latencyMs: 20, jitterMs: 20 }, ratio: 1 },
  { service: 'redis', type: 'unavailable', ratio: 1 },
  { service: 'redis', type: 'error_reply', params: { kind: 'OOM' } },
  { service: 'redis', type: 'error_reply', params: { kind: 'LOADING' } },
  { service: 'redis', type: 'connection_reset', ratio: 0.1 },
  { service: 'network', type: 'partition', ratio: 1 },
];

let redis: TestRedis;
let direct: Redis;

beforeAll(async () => {
  redis = await startTestRedis(['--appendonly', 'no']);
  direct = new Redis(redis.port, { maxRetriesPerRequest: null });
});
afterAll(async () => {
  direct.disconnect();
  await redis.close();
});

describe('BullMQ through the proxy', { timeout: 90_000, concurrent: true }, () => {
  it.each(CASES.map((each, index) => [`${each.service} ${each.type} ${index}`, each, index] as const))(
    'completes each job that was added once, after %s',
    async (_name, { service, type, ...options }, index) => {
      const harness = startProxyHarness();
      const { port } = await harness.open('redis', redis);
      const name = `jobs-${index}`;
      const common = {
        host: '127.0.0.1',
        port,
        retryStrategy: () => 20,
      };
      const queue = new Queue(name, {
        connection: {
          ...common,
          maxRetriesPerRequest: 0,
          commandTimeout: 500,
          enableOfflineQueue: false,
          autoResendUnfulfilledCommands: false,
        },
      });
      const worker = new Worker(name, async (job: Job) => job.id, {
        connection: { ...common, maxRetriesPerRequest: null, socketTimeout: 4000 },
        drainDelay: 1,
        concurrency: 4,
        lockDuration: 1500,
        stalledInterval: 300,
        maxStalledCount: 1000,
      });
      queue.on('error', () => {});
      worker.on('error', () => {});
      const seen = new Queue(name, { connection: direct });
      try {
        await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);
        const id = await harness.arm(service, type, { ratio: 0.3, ...options, seed: 100 + index });
        const acknowledged: string[] = [];
        const add = async (job: string) => {
          const added = await queue.add('job', {}, { jobId: job, attempts: 50 }).catch(() => undefined);
          if (added) acknowledged.push(job);
        };
        const startedAt = performance.now();
        for (let n = 0; n < JOBS && performance.now() - startedAt < FAULT_MS; n++) await add(`during-${n}`);
        const leftMs = FAULT_MS - (performance.now() - startedAt);
        if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
        // In that time a busy machine may not have come to a call that is hit.
        let more = JOBS;
        await until('the fault has hit', 20_000, async () => {
          const hits = harness.injector.activity().find((each) => each.id === id)?.hits ?? 0;
          if (hits === 0) await add(`during-${more++}`);
          return hits > 0;
        });
        expect((await harness.injector.end(id, 'stopped'))?.hits).toBeGreaterThan(0);
        await until('a job can be added again', 10_000, async () => {
          await queue.add('job', {}, { jobId: 'after', attempts: 50 });
          return true;
        });
        acknowledged.push('after');
        await until('nothing is left to do', 30_000, async () => {
          const counts = await seen.getJobCounts('waiting', 'active', 'delayed', 'prioritized');
          return Object.values(counts).every((count) => count === 0);
        });
        const completed = await direct.zrange(`bull:${name}:completed`, '0', '-1');
        expect(completed).toEqual(expect.arrayContaining(acknowledged));
        expect(new Set(completed).size).toBe(completed.length);
        expect(await direct.zcard(`bull:${name}:failed`)).toBe(0);
        // Each was completed by one finishing of one run, and nobody was told otherwise.
        const events = await direct.xrange(`bull:${name}:events`, '-', '+');
        const finished = events
          .map(([, fields]) => Object.fromEntries(pairs(fields)))
          .filter(({ event }) => event === 'completed')
          .map(({ jobId }) => jobId);
        expect(finished.sort()).toEqual([...completed].sort());
      } finally {
        await worker.close(true);
        await queue.close().catch(() => {});
        await seen.close();
        await harness.close();
      }
    },
  );
});

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[at * 2] ?? '', flat[at * 2 + 1] ?? '']);
}
