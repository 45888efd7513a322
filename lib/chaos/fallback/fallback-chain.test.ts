import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ManualClock } from '../clock.ts';
import { ChaosError } from '../errors.ts';
import { DiskTier } from './disk-tier.ts';
import { FallbackChain, type FallbackChainEvents, type FallbackChainSetup } from './fallback-chain.ts';
import type { FallbackJob } from './fallback-job.ts';
import { MemoryTier } from './memory-tier.ts';

const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

const makeJob = (id: string, camera = 'gate', type = 'detection'): FallbackJob => ({
  id,
  type,
  payload: { camera },
  traceId: 't',
  enqueuedAt: 1000,
  attempts: 0,
});

/** A queue that can be away, in the way of BullMQ: an id that it holds already is not added again. */
class Queue {
  readonly ids: string[] = [];
  up = true;
  offers = 0;

  async offer(job: FallbackJob): Promise<void> {
    this.offers++;
    await turn();
    if (!this.up) throw new Error('connect ECONNREFUSED');
    if (!this.ids.includes(job.id)) this.ids.push(job.id);
  }
}

async function makeChain(
  overrides: Partial<FallbackChainSetup<unknown>> & { disk?: number; memory?: number } = {},
) {
  const { disk, memory = 3, ...setup } = overrides;
  const clock = new ManualClock();
  const queue = new Queue();
  const dead: string[] = [];
  const memoryTier = new MemoryTier(memory);
  const tiers: (MemoryTier | DiskTier)[] = [memoryTier];
  let folder = '';
  if (disk !== undefined) {
    folder = await mkdtemp(join(tmpdir(), 'chain-'));
    folders.push(folder);
    tiers.push(await DiskTier.open(folder, { max: disk }));
  }
  const chain = new FallbackChain({
    type: 'detection',
    primary: queue,
    tiers,
    deadLetter: async (job) => {
      dead.push(job.id);
    },
    random: () => 0,
    clock,
    ...setup,
  });
  const tierChanges: string[] = [];
  chain.on('tierChanged', ({ from, to }) => tierChanges.push(`${from}→${to}`));
  return { chain, queue, clock, dead, tierChanges, folder };
}

describe('FallbackChain', () => {
  it('goes to the queue while that takes jobs', async () => {
    const { chain, queue } = await makeChain();
    await expect(chain.enqueue(makeJob('a'))).resolves.toBe('redis');
    expect(queue.ids).toEqual(['a']);
    expect(chain.status()).toMatchObject({ tier: 'redis', parked: 0, oldestAt: null, lastError: null });
    await chain.close();
  });

  it('goes to memory, then disk, then the dead letters, and tells each step', async () => {
    const { chain, queue, dead, tierChanges } = await makeChain({ memory: 2, disk: 2 });
    queue.up = false;
    const went = [];
    for (const id of ['a', 'b', 'c', 'd', 'e']) went.push(await chain.enqueue(makeJob(id)));
    expect(went).toEqual(['memory', 'memory', 'disk', 'disk', 'overflow']);
    expect(dead).toEqual(['e']);
    expect(tierChanges).toEqual(['redis→memory', 'memory→disk', 'disk→overflow']);
    expect(chain.status()).toEqual({
      tier: 'overflow',
      tiers: { memory: 2, memoryMax: 2, disk: 2, diskMax: 2 },
      parked: 4,
      oldestAt: 1000,
      dropped: 0,
      overflowed: 1,
      drained: 0,
      lastError: 'connect ECONNREFUSED',
    });
    expect([...chain.ids('memory')]).toEqual(['a', 'b']);
    expect([...chain.ids('disk')]).toEqual(['c', 'd']);
    await chain.close();
  });

  it('overtakes nobody: while a tier holds jobs, new ones go to the lowest that does, without asking the queue', async () => {
    const { chain, queue } = await makeChain({ memory: 2, disk: 9 });
    queue.up = false;
    for (const id of ['a', 'b', 'c']) await chain.enqueue(makeJob(id));
    queue.up = true;
    const offers = queue.offers;
    await expect(chain.enqueue(makeJob('d'))).resolves.toBe('disk');
    expect(queue.offers).toBe(offers);
    await chain.drain();
    expect(queue.ids).toEqual(['a', 'b', 'c', 'd']);
    await expect(chain.enqueue(makeJob('e'))).resolves.toBe('redis');
    await chain.close();
  });

  it('drains by itself, oldest first, once the queue is back, with growing waits until then', async () => {
    const { chain, queue, clock } = await makeChain({ memory: 2, disk: 9 });
    const drained = vi.fn();
    chain.on('drained', drained);
    queue.up = false;
    for (const id of ['a', 'b', 'c', 'd']) await chain.enqueue(makeJob(id));
    const attempts: number[] = [];
    for (let ms = 0; ms < 8000; ms += 100) {
      const before = queue.offers;
      clock.advance(100);
      await turn();
      await turn();
      if (queue.offers > before) attempts.push(ms + 100);
    }
    expect(attempts.slice(0, 5)).toEqual([100, 300, 700, 1500, 3100]);
    queue.up = true;
    clock.advance(2000);
    await vi.waitFor(() => expect(queue.ids).toEqual(['a', 'b', 'c', 'd']));
    await vi.waitFor(() => expect(drained).toHaveBeenCalledWith(expect.objectContaining({ count: 4 })));
    expect(chain.status()).toMatchObject({ tier: 'redis', parked: 0, drained: 4, lastError: null });
    await chain.close();
  });

  it('lets go of a job only after the queue has acknowledged it', async () => {
    const taking = Promise.withResolvers<void>();
    let asked = 0;
    const offer = () => (asked++ === 0 ? Promise.reject(new Error('away')) : taking.promise);
    const { chain } = await makeChain({ primary: { offer } });
    await chain.enqueue(makeJob('a'));
    const draining = chain.drain();
    await vi.waitFor(() => expect(asked).toBe(2));
    expect(chain.parked).toBe(1);
    taking.resolve();
    await draining;
    expect(chain.parked).toBe(0);
    await chain.close();
  });

  it('moves a batch in one round trip where the queue can, and keeps all of it when that fails', async () => {
    const batches: string[][] = [];
    let up = false;
    const primary = {
      offer: vi.fn(() => Promise.reject(new Error('away'))),
      offerAll: async (jobs: readonly FallbackJob[]) => {
        batches.push(jobs.map((job) => job.id));
        if (!up) throw new Error('time-out');
      },
    };
    const { chain } = await makeChain({ memory: 9, primary, drainBatch: 2 });
    for (const id of ['a', 'b', 'c']) await chain.enqueue(makeJob(id));
    await chain.drain();
    expect([batches, chain.parked]).toEqual([[['a', 'b']], 3]);
    expect(chain.status()).toMatchObject({ drained: 0, lastError: 'time-out' });
    expect(primary.offer).toHaveBeenCalledTimes(1); // when a was new; never for those of a batch
    up = true;
    await chain.drain();
    expect(batches.slice(1)).toEqual([['a', 'b'], ['c']]);
    expect(chain.parked).toBe(0);
    await chain.close();
  });

  it('keeps the order of a camera when a drain breaks off in the middle', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('gate', 'yard', 'roof'), { minLength: 1, maxLength: 30, size: 'max' }),
        fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 4 }),
        async (cameras, outages) => {
          const { chain, queue } = await makeChain({ memory: 99 });
          const jobs = cameras.map((camera, n) => makeJob(`${camera}-${n}`, camera));
          queue.up = false;
          await Promise.all(jobs.map((job) => chain.enqueue(job)));
          for (const lasts of outages) {
            queue.up = true;
            const offer = queue.offer.bind(queue);
            let left = lasts;
            queue.offer = async (job) => {
              if (left-- <= 0) queue.up = false;
              await offer(job);
            };
            await chain.drain();
            queue.offer = offer;
          }
          queue.up = true;
          await chain.drain();
          for (const camera of new Set(cameras)) {
            const mine = (ids: string[]) => ids.filter((id) => id.startsWith(camera));
            expect(mine(queue.ids)).toEqual(mine(jobs.map((job) => job.id)));
          }
          await chain.close();
        },
      ),
      { numRuns: 50 },
    );
  });

  it('keeps the order of a camera when the queue fails for one call of several under way', async () => {
    const order: string[] = [];
    const first = Promise.withResolvers<void>();
    const primary = {
      offer: (job: FallbackJob) => {
        if (job.id === 'gate-1') return first.promise;
        order.push(job.id);
        return Promise.resolve();
      },
    };
    const { chain } = await makeChain({ primary });
    const one = chain.enqueue(makeJob('gate-1', 'gate'));
    const two = chain.enqueue(makeJob('gate-2', 'gate'));
    await expect(chain.enqueue(makeJob('yard-1', 'yard'))).resolves.toBe('redis');
    expect(order).toEqual(['yard-1']);
    first.reject(new Error('away'));
    expect(await Promise.all([one, two])).toEqual(['memory', 'memory']);
    await chain.close();
  });

  it('lets a new job of a camera wait for one that is still being placed, whatever has been placed before', async () => {
    const asked: string[] = [];
    const answers = new Map(['a', 'b', 'c'].map((id) => [id, Promise.withResolvers<void>()]));
    const offer = async ({ id }: FallbackJob) => {
      asked.push(id);
      await answers.get(id)?.promise;
    };
    const { chain } = await makeChain({ primary: { offer } });
    const [a, b] = [chain.enqueue(makeJob('a')), chain.enqueue(makeJob('b'))];
    answers.get('a')?.resolve();
    await a;
    const c = chain.enqueue(makeJob('c'));
    await turn();
    expect(asked).toEqual(['a', 'b']);
    for (const answer of answers.values()) answer.resolve();
    await Promise.all([b, c]);
    expect(asked).toEqual(['a', 'b', 'c']);
    await chain.close();
  });

  it('may have a disk only, which it closes with itself', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'chain-'));
    folders.push(folder);
    const disk = await DiskTier.open(folder, { max: 5 });
    const { chain } = await makeChain({ tiers: [disk] });
    await chain.park(makeJob('a'));
    expect(chain.status().tiers).toEqual({ memory: 0, memoryMax: 0, disk: 1, diskMax: 5 });
    await chain.close();
    await expect(disk.push(makeJob('b'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('parks without asking the queue, and holds the drain back until it is ready', async () => {
    let ready = false;
    const { chain, queue, clock } = await makeChain({ isReady: () => ready });
    await expect(chain.park(makeJob('a'))).resolves.toBe('memory');
    await chain.drain();
    clock.advance(2000);
    await turn();
    expect(queue.offers).toBe(0);
    ready = true;
    clock.advance(2000);
    await vi.waitFor(() => expect(queue.ids).toEqual(['a']));
    await chain.close();
  });

  it("with 'drop-oldest' gives up the oldest of the last tier, counts and names it", async () => {
    const { chain, queue, dead } = await makeChain({ memory: 1, disk: 2, overflow: 'drop-oldest' });
    const dropped: FallbackChainEvents['dropped'][0][] = [];
    chain.on('dropped', (event) => dropped.push(event));
    queue.up = false;
    for (const id of ['a', 'b', 'c']) await chain.enqueue(makeJob(id));
    await Promise.all([chain.enqueue(makeJob('d')), chain.enqueue(makeJob('e', 'yard'))]);
    expect(dropped.map(({ job }) => job.id)).toEqual(['b', 'c']);
    expect([...chain.droppedIds()]).toEqual(['b', 'c']);
    expect(chain.status().dropped).toBe(2);
    expect(dead).toEqual([]);
    await chain.enqueue(makeJob('b')); // scheduled again: not dropped any more, and d is
    expect([...chain.droppedIds()]).toEqual(['c', 'd']);
    queue.up = true;
    await chain.drain();
    expect(queue.ids).toEqual(['a', 'e', 'b']);
    await chain.close();
  });

  it("with 'drop-oldest' never drops a job that is on its way to the queue", async () => {
    const taking = Promise.withResolvers<void>();
    let up = false;
    const took: string[] = [];
    const primary = {
      offer: async (job: FallbackJob) => {
        if (!up) throw new Error('away');
        await taking.promise;
        took.push(job.id);
      },
    };
    const { chain } = await makeChain({ memory: 2, overflow: 'drop-oldest', primary, drainBatch: 1 });
    await chain.enqueue(makeJob('a'));
    await chain.enqueue(makeJob('b'));
    up = true;
    const draining = chain.drain();
    await turn();
    await chain.enqueue(makeJob('c'));
    expect([...chain.droppedIds()]).toEqual(['b']);
    taking.resolve();
    await draining;
    expect(took).toEqual(['a', 'c']);
    await chain.close();
  });

  it("with 'drop-oldest' refuses while every job that could be dropped is on its way", async () => {
    const taking = Promise.withResolvers<void>();
    let up = false;
    const primary = { offer: () => (up ? taking.promise : Promise.reject(new Error('away'))) };
    const { chain } = await makeChain({ memory: 1, overflow: 'drop-oldest', primary });
    await chain.enqueue(makeJob('a'));
    up = true;
    const draining = chain.drain();
    await turn();
    await expect(chain.enqueue(makeJob('b'))).rejects.toMatchObject({
      code: 'QUEUE_FULL',
      message: 'Every detection job of the last tier is on its way',
    });
    expect([...chain.droppedIds()]).toEqual([]);
    taking.resolve();
    await draining;
    await chain.close();
  });

  it("with 'drop-oldest' may drop again what a drain could not deliver", async () => {
    const { chain, queue } = await makeChain({ memory: 2, overflow: 'drop-oldest' });
    queue.up = false;
    await chain.enqueue(makeJob('a'));
    await chain.enqueue(makeJob('b'));
    await chain.drain();
    await chain.enqueue(makeJob('c'));
    expect([...chain.droppedIds()]).toEqual(['a']);
    await chain.close();
  });

  it('does not deliver a job that was dropped while the drain was reading it', async () => {
    const reading = Promise.withResolvers<void>();
    let slow = false;
    class SlowTier extends MemoryTier {
      override async peek(limit: number) {
        const jobs = await super.peek(limit);
        if (slow) {
          slow = false;
          await reading.promise;
        }
        return jobs;
      }
    }
    const { chain, queue } = await makeChain({ tiers: [new SlowTier(1)], overflow: 'drop-oldest' });
    queue.up = false;
    await chain.enqueue(makeJob('a'));
    queue.up = true;
    slow = true;
    const draining = chain.drain();
    await chain.enqueue(makeJob('b'));
    expect([...chain.droppedIds()]).toEqual(['a']);
    reading.resolve();
    await draining;
    await chain.drain();
    expect(queue.ids).toEqual(['b']);
    await chain.close();
  });

  it("with 'reject' refuses", async () => {
    const { chain, queue } = await makeChain({ memory: 1, overflow: 'reject' });
    queue.up = false;
    await chain.enqueue(makeJob('a'));
    await expect(chain.enqueue(makeJob('b'))).rejects.toMatchObject({
      code: 'QUEUE_FULL',
      message: 'No tier takes another detection job',
    });
    expect([...chain.ids('memory')]).toEqual(['a']);
    await chain.close();
  });

  it('refuses when the dead letters refuse, and drops nothing', async () => {
    const deadLetter = () => Promise.reject(new ChaosError('STORE_UNAVAILABLE', 'disk full'));
    const { chain, queue } = await makeChain({ memory: 1, deadLetter });
    queue.up = false;
    await chain.enqueue(makeJob('a'));
    await expect(chain.enqueue(makeJob('b'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(chain.status()).toMatchObject({ parked: 1, overflowed: 0 });
    await chain.close();
  });

  it.each(['dlq', 'drop-oldest', 'reject'] as const)(
    'under %s refuses when the disk cannot write, whatever the policy',
    async (overflow) => {
      const { chain, queue, folder, dead } = await makeChain({ memory: 1, disk: 5, overflow });
      queue.up = false;
      await chain.enqueue(makeJob('a'));
      await rm(folder, { recursive: true });
      folders.pop();
      await expect(chain.enqueue(makeJob('b'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect(dead).toEqual([]);
      expect([...chain.droppedIds()]).toEqual([]);
      expect(chain.parked).toBe(1);
      queue.up = true;
      await chain.drain();
      await chain.close();
    },
  );

  it('drains what an earlier process left on disk', async () => {
    const { chain, queue, folder } = await makeChain({ memory: 1, disk: 9 });
    queue.up = false;
    for (const id of ['a', 'b', 'c']) await chain.enqueue(makeJob(id));
    await chain.close();
    const clock = new ManualClock();
    const next = new Queue();
    const after = new FallbackChain({
      type: 'detection',
      primary: next,
      tiers: [new MemoryTier(), await DiskTier.open(folder)],
      overflow: 'reject',
      clock,
    });
    const tierChanged = vi.fn();
    after.on('tierChanged', tierChanged);
    expect(after.status().tier).toBe('disk');
    clock.advance(0);
    await vi.waitFor(() => expect(next.ids).toEqual(['b', 'c']));
    await vi.waitFor(() =>
      expect(tierChanged).toHaveBeenCalledWith(expect.objectContaining({ from: 'disk', to: 'redis' })),
    );
    await after.close();
  });

  it('takes its own type only, and nothing after it was closed', async () => {
    const { chain } = await makeChain();
    await expect(chain.enqueue(makeJob('a', 'gate', 'analysis'))).rejects.toThrow(
      new TypeError('Expected a job of type detection, got analysis'),
    );
    await chain.close();
    await expect(chain.enqueue(makeJob('a'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: 'The detection chain is closed',
    });
  });

  it('needs a tier, and someone to take dead letters', () => {
    const primary = new Queue();
    const tiers = [new MemoryTier()];
    expect(() => new FallbackChain({ type: 'x', primary, tiers })).toThrow(
      new TypeError("Expected deadLetter for the overflow policy 'dlq'"),
    );
    expect(() => new FallbackChain({ type: 'x', primary, tiers: [], overflow: 'reject' })).toThrow(
      new TypeError('Expected at least one tier'),
    );
  });

  it('tells what happened to whom, when and why', async () => {
    const { chain, queue, clock } = await makeChain({ memory: 1 });
    const facts: unknown[] = [];
    const at = clock.now();
    for (const name of ['tierChanged', 'deadLettered', 'drained'] as const) {
      chain.on(name, (fact: object) => facts.push({ name, ...fact }));
    }
    queue.up = false;
    const [a, b] = [makeJob('a'), makeJob('b')];
    await chain.enqueue(a);
    await chain.enqueue(b);
    queue.up = true;
    await chain.drain();
    await chain.drain();
    const type = 'detection';
    const error = new Error('connect ECONNREFUSED');
    expect(facts).toEqual([
      { name: 'tierChanged', type, from: 'redis', to: 'overflow', at, error },
      { name: 'deadLettered', type, job: b, at },
      { name: 'tierChanged', type, from: 'overflow', to: 'redis', at, error },
      { name: 'drained', type, count: 1, at },
    ]);
    await chain.close();
  });

  it('tells of a job that it gave up', async () => {
    const { chain, queue, clock } = await makeChain({ memory: 1, overflow: 'drop-oldest' });
    const dropped = vi.fn();
    chain.on('dropped', dropped);
    queue.up = false;
    await chain.enqueue(makeJob('a'));
    await chain.enqueue(makeJob('b'));
    expect(dropped.mock.calls).toEqual([[{ type: 'detection', job: makeJob('a'), at: clock.now() }]]);
    await chain.close();
  });

  it('says why the queue does not take jobs until it does, whatever was thrown', async () => {
    let thrown: unknown = 'gone away';
    const offer = () => (thrown === undefined ? Promise.resolve() : Promise.reject(thrown));
    const { chain } = await makeChain({ primary: { offer } });
    await chain.enqueue(makeJob('a'));
    expect(chain.status().lastError).toBe('gone away');
    thrown = new Error('time-out');
    await chain.drain();
    expect(chain.status().lastError).toBe('time-out');
    thrown = undefined;
    await chain.drain();
    expect(chain.status().lastError).toBeNull();
    await chain.close();
  });

  it('keeps one order for all jobs that name no camera', async () => {
    const asked: string[] = [];
    const first = Promise.withResolvers<void>();
    const offer = (job: FallbackJob) => {
      asked.push(job.id);
      return job.id === 'a' ? first.promise : Promise.resolve();
    };
    const { chain } = await makeChain({ primary: { offer } });
    const payloads = [undefined, null, 'text', {}, { camera: 7 }];
    const placed = payloads.map((payload, n) => chain.enqueue({ ...makeJob('abcde'.charAt(n)), payload }));
    await turn();
    expect(asked).toEqual(['a']);
    first.resolve();
    await Promise.all(placed);
    expect(asked).toEqual(['a', 'b', 'c', 'd', 'e']);
    await chain.close();
  });

  it('has no ids in a tier that it does not have, and tells none of its bounds', async () => {
    const { chain } = await makeChain({ memory: 3 });
    expect(chain.ids('disk')).toEqual(new Set());
    expect(chain.status().tiers).toEqual({ memory: 0, memoryMax: 3, disk: 0, diskMax: 0 });
    await chain.close();
  });

  it('tells when the oldest of all tiers was enqueued', async () => {
    const { chain } = await makeChain({ memory: 1, disk: 5 });
    await chain.park({ ...makeJob('a'), enqueuedAt: 3000 });
    await chain.park({ ...makeJob('b'), enqueuedAt: 2000 });
    expect(chain.status().oldestAt).toBe(2000);
    await chain.close();
  });

  it('looks 2 s later when it is not ready, and after 100 ms for a job that is still being written', async () => {
    let ready = false;
    const { chain, queue, clock } = await makeChain({ isReady: () => ready });
    await chain.park(makeJob('a'));
    await chain.drain();
    ready = true;
    clock.advance(1999);
    await turn();
    expect(queue.offers).toBe(0);
    clock.advance(1);
    await vi.waitFor(() => expect(queue.ids).toEqual(['a']));
    await chain.close();

    class WritingTier extends MemoryTier {
      written = false;
      override peek = async (limit: number) => (this.written ? super.peek(limit) : []);
    }
    const tier = new WritingTier();
    const other = await makeChain({ tiers: [tier] });
    await other.chain.park(makeJob('a'));
    await other.chain.drain();
    tier.written = true;
    other.clock.advance(99);
    await turn();
    expect(other.queue.offers).toBe(0);
    other.clock.advance(1);
    await vi.waitFor(() => expect(other.queue.ids).toEqual(['a']));
    await other.chain.close();
  });

  it('goes on draining, with growing waits, when a tier cannot be read for a while', async () => {
    let readable = false;
    let reads = 0;
    class UnreadableTier extends MemoryTier {
      override async peek(limit: number) {
        reads++;
        if (!readable) throw new ChaosError('STORE_UNAVAILABLE', 'The disk cannot be read');
        return super.peek(limit);
      }
    }
    const { chain, queue, clock } = await makeChain({ tiers: [new UnreadableTier()] });
    await chain.park(makeJob('a'));
    const readAt: number[] = [];
    for (let ms = 100; ms <= 3100; ms += 100) {
      const before = reads;
      clock.advance(100);
      await turn();
      if (reads > before) readAt.push(ms);
    }
    expect(readAt).toEqual([100, 300, 700, 1500, 3100]);
    expect(chain.status()).toMatchObject({ parked: 1, lastError: 'The disk cannot be read' });
    readable = true;
    clock.advance(2000);
    await vi.waitFor(() => expect(queue.ids).toEqual(['a']));
    await chain.close();
  });

  it('waits the least again after a drain that went well', async () => {
    const { chain, queue, clock } = await makeChain();
    queue.up = false;
    await chain.enqueue(makeJob('a'));
    for (let n = 0; n < 4; n++) await chain.drain();
    queue.up = true;
    await chain.drain();
    queue.up = false;
    await chain.enqueue(makeJob('b'));
    queue.up = true;
    clock.advance(100);
    await vi.waitFor(() => expect(queue.ids).toEqual(['a', 'b']));
    await chain.close();
  });

  it('starts no drain after it was closed, and waits for the one that runs', async () => {
    const { chain, queue, clock } = await makeChain();
    await chain.park(makeJob('a'));
    await chain.park(makeJob('b'));
    const taking = Promise.withResolvers<void>();
    queue.offer = async (job) => {
      await taking.promise;
      queue.ids.push(job.id);
    };
    const draining = chain.drain();
    await turn();
    let closed = false;
    const closing = chain.close().then(() => {
      closed = true;
    });
    await turn();
    expect(closed).toBe(false);
    taking.resolve();
    await Promise.all([draining, closing]);
    expect(queue.ids).toEqual(['a', 'b']);

    const other = await makeChain();
    await other.chain.park(makeJob('a'));
    await other.chain.close();
    clock.advance(60_000);
    other.clock.advance(60_000);
    await turn();
    expect(other.queue.offers).toBe(0);
  });
});
