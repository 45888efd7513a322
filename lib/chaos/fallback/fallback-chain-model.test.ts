import { cpSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { DiskTier } from './disk-tier.ts';
import { FallbackChain, type OverflowPolicy } from './fallback-chain.ts';
import type { FallbackJob } from './fallback-job.ts';
import { MemoryTier } from './memory-tier.ts';

const MEMORY_MAX = 3;
const DISK_MAX = 6;

const folders: string[] = [];
async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'chain-model-'));
  folders.push(folder);
  return folder;
}
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

const camera = fc.constantFrom('gate', 'yard', 'roof');
const cameras = fc.array(camera, { minLength: 1, maxLength: 5, size: 'max' });
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('enqueue' as const), cameras, draining: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('park' as const), cameras, draining: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ do: 'drain' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('queue' as const), takes: fc.constantFrom(0, 2, 5, 99) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), cameras, turns: fc.nat(12) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

interface Setup {
  readonly overflow: OverflowPolicy;
  /** Whether the queue takes a batch in one round trip. */
  readonly batch: boolean;
}

/**
 * One pipeline over all its restarts. Queue, disk and dead letters outlive a crash; memory does not, and what had its
 * only home there is enqueued again from the inbox.
 */
class Pipeline {
  readonly #setup: Setup;
  /** Jobs in the order in which they were given to a chain, the last time when more than once. */
  readonly #givenAt = new Map<string, number>();
  readonly #refused = new Set<string>();
  /** Given and not answered yet. */
  readonly #pending = new Set<string>();
  readonly #queued: string[] = [];
  readonly #dead = new Set<string>();
  readonly #dropped = new Set<string>();
  /** Offers that the queue takes before it is away. */
  #takes = 99;
  #given = 0;
  #generation = 0;
  #folder = '';
  #memory = new MemoryTier(MEMORY_MAX);
  #disk!: DiskTier;
  #chain!: FallbackChain;

  constructor(setup: Setup) {
    this.#setup = setup;
  }

  async start(folder: string): Promise<void> {
    const generation = ++this.#generation;
    const alive = () => generation === this.#generation;
    const take = async (jobs: readonly FallbackJob[]) => {
      await turn();
      if (!alive()) return new Promise<void>(() => {}); // a dead process gets no answer
      if (this.#takes < jobs.length) throw new Error('connect ECONNREFUSED');
      this.#takes -= jobs.length;
      for (const { id } of jobs) if (!this.#queued.includes(id)) this.#queued.push(id);
    };
    this.#folder = folder;
    this.#memory = new MemoryTier(MEMORY_MAX);
    this.#disk = await DiskTier.open(folder, { max: DISK_MAX, segmentBytes: 300 });
    this.#chain = new FallbackChain({
      type: 'detection',
      primary: { offer: (job) => take([job]), ...(this.#setup.batch ? { offerAll: take } : {}) },
      tiers: [this.#memory, this.#disk],
      overflow: this.#setup.overflow,
      deadLetter: async ({ id }) => {
        if (alive()) this.#dead.add(id);
      },
      drainBatch: 4,
      clock: new ManualClock(),
    });
    this.#chain.on('dropped', ({ job }) => alive() && this.#dropped.add(job.id));
  }

  async take(each: Step): Promise<void> {
    if (each.do === 'queue') this.#takes = each.takes;
    else if (each.do === 'drain') await this.#chain.drain();
    else if (each.do === 'crash') await this.#crash(each.cameras, each.turns);
    else {
      const drained = each.draining ? this.#chain.drain() : undefined;
      await Promise.all(each.cameras.map((name) => this.#give(this.#makeId(name), each.do)));
      await drained;
    }
    this.expectBooksInOrder();
  }

  /** Everything to the queue. */
  async finish(): Promise<void> {
    this.#takes = 999;
    await this.#chain.drain();
    expect(this.#chain.parked).toBe(0);
    this.expectBooksInOrder();
    await this.#chain.close();
  }

  expectBooksInOrder(): void {
    expect(this.#memory.size).toBeLessThanOrEqual(MEMORY_MAX);
    expect(this.#disk.size).toBeLessThanOrEqual(DISK_MAX);
    expect(this.#homeless(), 'jobs without a home').toEqual([]);
    expect(new Set(this.#queued).size, 'each id once').toBe(this.#queued.length);
    for (const name of ['gate', 'yard', 'roof']) {
      const order = this.#queued
        .filter((id) => id.startsWith(name))
        .map((id) => this.#givenAt.get(id) ?? Number.NaN);
      expect(order, `order of ${name}`).toEqual([...order].sort((a, b) => a - b));
    }
  }

  #makeId(name: string): string {
    return `${name}-${this.#givenAt.size}`;
  }

  #give(id: string, how: 'enqueue' | 'park'): Promise<unknown> {
    const generation = this.#generation;
    const job = { id, type: 'detection', traceId: 't', enqueuedAt: 1000, attempts: 0 };
    this.#givenAt.set(id, this.#given++);
    this.#refused.delete(id);
    this.#pending.add(id);
    return this.#chain[how]({ ...job, payload: { camera: id.split('-')[0] } }).then(
      () => this.#settled(id, generation),
      (error: unknown) => {
        if (this.#settled(id, generation)) expect(error).toMatchObject({ code: 'QUEUE_FULL' });
        this.#refused.add(id); // its file stays in the inbox
      },
    );
  }

  #settled(id: string, generation: number): boolean {
    if (generation !== this.#generation) return false;
    return this.#pending.delete(id);
  }

  /** kill -9 in the middle of writes: what the disk holds at that moment is what the next process finds. */
  async #crash(names: readonly string[], turns: number): Promise<void> {
    const old = { chain: this.#chain, folder: this.#folder };
    const writing = names.map((name) => this.#give(this.#makeId(name), 'park'));
    for (let n = 0; n < turns; n++) await turn();
    const acknowledged = [...this.#disk.ids()].filter((id) => !this.#pending.has(id));
    this.#generation++;
    this.#pending.clear();
    const copy = await makeFolder();
    copyAtOnce(old.folder, copy);
    await Promise.all(writing);
    await old.chain.close();
    await this.start(copy);
    if (this.#setup.overflow !== 'drop-oldest') {
      expect([...this.#disk.ids()]).toEqual(expect.arrayContaining(acknowledged));
    }
    for (const id of [...this.#homeless(), ...this.#refused]) await this.#give(id, 'enqueue');
  }

  #homeless(): string[] {
    const homes = [
      new Set(this.#queued),
      this.#memory.ids(),
      this.#disk.ids(),
      this.#dead,
      this.#dropped,
      this.#refused,
    ];
    return [...this.#givenAt.keys()].filter((id) => !homes.some((home) => home.has(id)));
  }
}

/** As it is at this moment, or at one that is as good when a file goes meanwhile. */
function copyAtOnce(from: string, to: string): void {
  for (let attempt = 1; ; attempt++) {
    try {
      cpSync(from, to, { recursive: true });
      return;
    } catch (error) {
      if (attempt === 10) throw error;
    }
  }
}

describe('FallbackChain over any schedule of outages, drains and crashes', () => {
  it.each<OverflowPolicy>(['dlq', 'drop-oldest', 'reject'])(
    "keeps its bounds, each camera's order and every job, under %s",
    async (overflow) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 25, size: 'max' }),
          fc.boolean(),
          async (steps, batch) => {
            const pipeline = new Pipeline({ overflow, batch });
            await pipeline.start(await makeFolder());
            for (const each of steps) await pipeline.take(each);
            await pipeline.finish();
          },
        ),
        { numRuns: 10 },
      );
    },
  );
});
