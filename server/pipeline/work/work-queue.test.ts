import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '#lib/chaos/clock.ts';
import type { FallbackJob } from '#lib/chaos/fallback/fallback-job.ts';
import { MemoryTier } from '#lib/chaos/fallback/memory-tier.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { type JobOutcome, WorkQueue } from './work-queue.ts';

type Payload = { camera: string };

let redis: TestRedis;
const opened: WorkQueue<Payload>[] = [];
beforeAll(async () => {
  redis = await startTestRedis();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((queue) => queue.close()));
});
afterAll(() => redis.close());

function makeQueue(process: (job: FallbackJob<Payload>) => Promise<JobOutcome>, memoryMax = 3) {
  const letters: string[] = [];
  const queue = new WorkQueue<Payload>({
    name: 'detection',
    redis: { host: redis.host, port: redis.port, password: null },
    redisTimeoutMs: 2000,
    concurrency: 4,
    lockMs: 2000,
    stalledMs: 1000,
    tiers: [new MemoryTier<Payload>(memoryMax)],
    deadLetter: async (job) => void letters.push(job.id),
    guard: (call) => call(),
    process,
    clock: systemClock,
    onError: () => {},
  });
  opened.push(queue);
  const add = (id: string) =>
    queue.add({
      id,
      type: 'detection',
      payload: { camera: 'c' },
      traceId: id,
      enqueuedAt: Date.now(),
      attempts: 0,
    });
  return { queue, add, letters };
}

const within = { timeout: 8000, interval: 25 };

describe('WorkQueue', () => {
  it('takes no job while its gate is closed, and each job once when it opens', async () => {
    const done: string[] = [];
    const { queue, add } = makeQueue(async ({ id }) => {
      done.push(id);
      return { kind: 'done' };
    });
    await vi.waitFor(() => add('a'), within);
    await add('a');
    await add('b');
    await vi.waitFor(
      async () => expect((await queue.scheduled()).queued).toEqual(new Set(['a', 'b'])),
      within,
    );
    expect(queue.status()).toMatchObject({ depth: 2, inFlight: 0, parked: 2, paused: true, tier: 'redis' });
    expect(done).toEqual([]);
    queue.setOpen(true);
    await vi.waitFor(
      () => expect(queue.status()).toMatchObject({ depth: 0, inFlight: 0, paused: false }),
      within,
    );
    expect(done.sort()).toEqual(['a', 'b']);
    expect((await queue.scheduled()).queued.size).toBe(0);
  });

  it('gives a parked job back with its attempts, and it stays scheduled meanwhile', async () => {
    const attempts: number[] = [];
    const { queue, add } = makeQueue(async (job) => {
      attempts.push(job.attempts);
      if (attempts.length === 1) return { kind: 'parked', countAttempt: true, delayMs: 300 };
      if (attempts.length === 2) throw new Error('a mistake in the handler');
      return { kind: 'done' };
    });
    await vi.waitFor(() => add('p'), within);
    queue.setOpen(true);
    await vi.waitFor(() => expect(attempts).toEqual([0]), within);
    expect((await queue.scheduled()).queued).toEqual(new Set(['p']));
    await vi.waitFor(() => expect(attempts).toEqual([0, 1, 2]), within);
    await vi.waitFor(() => expect(queue.status().depth).toBe(0), within);
  });

  it('keeps jobs in memory while Redis is gone, dead-letters what does not fit, and drains by itself', async () => {
    const done: string[] = [];
    const { queue, add, letters } = makeQueue(async ({ id }) => {
      done.push(id);
      return { kind: 'done' };
    });
    await vi.waitFor(() => add('before'), within);
    queue.setOpen(true);
    await vi.waitFor(() => expect(done).toEqual(['before']), within);
    await redis.kill();
    for (const id of ['m1', 'm2', 'm3', 'm4']) await add(id);
    expect(queue.status()).toMatchObject({ tier: 'overflow', tiers: { memory: 3 } });
    expect(letters).toEqual(['m4']);
    await expect(queue.scheduled()).rejects.toThrow();
    await redis.restart();
    await vi.waitFor(() => expect(done.toSorted()).toEqual(['before', 'm1', 'm2', 'm3']), within);
    await vi.waitFor(
      () => expect(queue.status()).toMatchObject({ tier: 'redis', tiers: { memory: 0 } }),
      within,
    );
  });

  it('drains at more than twice the rate at which new jobs come', async () => {
    const backlog = 500;
    const done = new Set<string>();
    const { queue, add } = makeQueue(async ({ id }) => {
      done.add(id);
      return { kind: 'done' };
    }, backlog * 4);
    await vi.waitFor(() => add('first'), within);
    await redis.kill();
    for (let n = 0; n < backlog; n++) await add(`old-${n}`);
    expect(queue.status().tiers.memory).toBe(backlog);
    await redis.restart();
    await vi.waitFor(() => expect(queue.status().tiers.memory).toBeLessThan(backlog), {
      timeout: 15_000,
      interval: 1,
    });
    // From its first step on: 100 new ones a second, five times what the cameras send.
    const added: Promise<void>[] = [];
    const coming = setInterval(() => added.push(add(`new-${added.length}`)), 10);
    try {
      await vi.waitFor(() => expect(queue.status().tiers.memory).toBe(0), { timeout: 15_000, interval: 1 });
      expect(added.length, 'new ones until nothing waits').toBeLessThan(backlog / 2);
    } finally {
      clearInterval(coming);
      await Promise.all(added);
    }
    queue.setOpen(true);
    await vi.waitFor(() => expect(done.size).toBe(backlog + added.length + 1), within);
  });

  it('forgets a job that was deleted behind its back', async () => {
    const { queue, add } = makeQueue(async () => ({ kind: 'done' }));
    await vi.waitFor(() => add('gone'), within);
    const other = new Queue('detection_queue', { connection: { host: redis.host, port: redis.port } });
    await other.remove('gone');
    await other.close();
    expect(queue.knows('gone')).toBe(true);
    expect((await queue.scheduled()).queued.size).toBe(0);
    expect(queue.knows('gone')).toBe(false);
  });
});
