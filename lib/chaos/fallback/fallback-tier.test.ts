import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DiskTier } from './disk-tier.ts';
import type { FallbackJob } from './fallback-job.ts';
import type { FallbackTier } from './fallback-tier.ts';
import { MemoryTier } from './memory-tier.ts';

const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

function makeJob(id: string, overrides: Partial<FallbackJob> = {}): FallbackJob {
  const base = {
    type: 'detection',
    payload: { camera: 'gate' },
    traceId: 't',
    enqueuedAt: 1000,
    attempts: 0,
  };
  return { id, ...base, ...overrides };
}

/** What every tier promises, on each one. */
describe.each<[string, (max: number) => Promise<FallbackTier>]>([
  ['MemoryTier', async (max) => new MemoryTier(max)],
  [
    'DiskTier',
    async (max) => {
      const folder = await mkdtemp(join(tmpdir(), 'tier-'));
      folders.push(folder);
      return DiskTier.open(folder, { max, segmentBytes: 300 });
    },
  ],
])('%s', (_, makeTier) => {
  it('gives jobs back whole and in their order, and keeps them until they are removed', async () => {
    const tier = await makeTier(100);
    const jobs = Array.from({ length: 10 }, (_, n) =>
      makeJob(`j${n}`, { enqueuedAt: 1000 + n, attempts: n, payload: { camera: 'ü\n', n } }),
    );
    await Promise.all(jobs.map((job) => tier.push(job)));
    expect(await tier.peek(3)).toEqual(jobs.slice(0, 3));
    expect(await tier.peek(3)).toEqual(jobs.slice(0, 3));
    expect([tier.size, tier.oldestAt]).toEqual([10, 1000]);
    await tier.remove(['j0', 'j2', 'unknown']);
    expect((await tier.peek(100)).map((job) => job.id)).toEqual([
      'j1',
      ...jobs.slice(3).map((job) => job.id),
    ]);
    expect(tier.oldestAt).toBe(1001);
    expect(tier.ids()).toEqual(new Set(['j1', ...jobs.slice(3).map((job) => job.id)]));
    await tier.remove([...tier.ids()]);
    expect([tier.size, tier.oldestAt, await tier.peek(1)]).toEqual([0, null, []]);
    await tier.close();
  });

  it('holds an id once', async () => {
    const tier = await makeTier(2);
    await Promise.all([tier.push(makeJob('a')), tier.push(makeJob('a')), tier.push(makeJob('b'))]);
    await tier.push(makeJob('b'));
    expect((await tier.peek(9)).map((job) => job.id)).toEqual(['a', 'b']);
    await tier.remove(['a']);
    await tier.push(makeJob('a'));
    expect((await tier.peek(9)).map((job) => job.id)).toEqual(['b', 'a']);
    await tier.close();
  });

  it('holds a job when the push of its twin resolves', async () => {
    const tier = await makeTier(2);
    const first = tier.push(makeJob('a'));
    await tier.push(makeJob('a'));
    expect(await tier.peek(1)).toHaveLength(1);
    await first;
    await tier.close();
  });

  it('refuses what is beyond its bound, also when all come at once, and takes again what has room', async () => {
    const tier = await makeTier(3);
    const pushes = await Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map((id) => tier.push(makeJob(id))));
    const refused = pushes.filter((push) => push.status === 'rejected');
    expect(refused.map((push) => push.reason.code)).toEqual(['QUEUE_FULL', 'QUEUE_FULL']);
    expect(refused[0]?.reason.message).toMatch(/^The (memory|disk) tier holds its 3 jobs$/);
    expect(tier.size).toBe(3);
    await tier.remove(['b']);
    await tier.push(makeJob('f'));
    expect((await tier.peek(9)).map((job) => job.id)).toEqual(['a', 'c', 'f']);
    await tier.close();
  });

  it.each([0, 1.5])('refuses a bound of %s', async (max) => {
    await expect(makeTier(max)).rejects.toThrow(
      new RangeError(`Expected max to be a whole number from 1, got ${max}`),
    );
  });

  it('may hold a single job', async () => {
    const tier = await makeTier(1);
    await tier.push(makeJob('a'));
    await expect(tier.push(makeJob('b'))).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    await tier.close();
  });
});
