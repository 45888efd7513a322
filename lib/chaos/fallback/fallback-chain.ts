import { EventEmitter } from 'node:events';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import { emitSafely } from '../emit.ts';
import { ChaosError } from '../errors.ts';
import type { Random } from '../random.ts';
import { type BackoffOptions, backoffMs, RECONNECT_BACKOFF } from '../retry/backoff.ts';
import type { FallbackJob } from './fallback-job.ts';
import type { FallbackTier } from './fallback-tier.ts';

/** Where a job went, or where the next one will go. */
export type ChainTier = 'redis' | 'memory' | 'disk' | 'overflow';

export type OverflowPolicy = 'dlq' | 'drop-oldest' | 'reject';

/** The queue that jobs should be in. Offering an id again must be harmless: a time-out may come after it was stored. */
export interface FallbackPrimary<Payload> {
  /** Resolves once the queue holds the job. Any error means: try again later. */
  offer(job: FallbackJob<Payload>): Promise<void>;
  /** All of them in this order, in one round trip. Any error means that none may be taken as held. */
  offerAll?(jobs: readonly FallbackJob<Payload>[]): Promise<void>;
}

export interface FallbackChainOptions<Payload> {
  /** The one kind of job in this chain; another kind gets a chain (and a disk folder) of its own. */
  type: string;
  primary: FallbackPrimary<Payload>;
  /** Nearest first: memory, then disk. At least one. */
  tiers: readonly FallbackTier<Payload>[];
  /** What happens when every tier is full. @default 'dlq' */
  overflow: OverflowPolicy;
  /** Takes a job for good; needed by the policy 'dlq'. May throw, and the job is then refused. */
  deadLetter?: ((job: FallbackJob<Payload>) => Promise<void>) | undefined;
  /** Jobs of one key keep their order. @default the payload's `camera`, else one key for all */
  orderKey: (job: FallbackJob<Payload>) => string;
  /** False holds the drain back, for example while the breaker of the service that the jobs need is open. @default true */
  isReady: () => boolean;
  /** Jobs moved in one step of the drain. @default 64 */
  drainBatch: number;
  /** Waits between drains that found the primary unavailable. @default 100 ms × 2, up to 2 s */
  backoff: BackoffOptions;
  /** @default Math.random */
  random: Random;
  /** @default systemClock */
  clock: Clock;
}

type Given = 'type' | 'primary' | 'tiers';

export const FALLBACK_CHAIN_DEFAULTS: Omit<FallbackChainOptions<unknown>, Given> = {
  overflow: 'dlq',
  orderKey: cameraOf,
  isReady: () => true,
  drainBatch: 64,
  backoff: { ...RECONNECT_BACKOFF, capMs: 2000 },
  random: Math.random,
  clock: systemClock,
};

/** `type`, `primary` and `tiers` must be given. */
export type FallbackChainSetup<Payload> = Pick<FallbackChainOptions<Payload>, Given> &
  Partial<Omit<FallbackChainOptions<Payload>, Given>>;

export interface FallbackChainEvents {
  /** New jobs go elsewhere from now on; `error` is what made them leave the primary. */
  tierChanged: [{ type: string; from: ChainTier; to: ChainTier; at: number; error: unknown }];
  /** Given up by the policy 'drop-oldest'. */
  dropped: [{ type: string; job: FallbackJob; at: number }];
  deadLettered: [{ type: string; job: FallbackJob; at: number }];
  /** The tiers are empty again. `count` jobs were moved since they last were. */
  drained: [{ type: string; count: number; at: number }];
}

export interface FallbackChainStatus {
  /** Tier that new work goes to now. */
  tier: ChainTier;
  tiers: { memory: number; memoryMax: number; disk: number; diskMax: number };
  /** In all tiers together. */
  parked: number;
  /** Epoch ms at which the oldest parked job was enqueued; null when none is. */
  oldestAt: number | null;
  dropped: number;
  overflowed: number;
  drained: number;
  /** Why the primary did not take the last job offered; null when it did. */
  lastError: string | null;
}

/**
 * Jobs of one type, in the best place that takes them.
 *
 *     enqueue ──► primary (Redis) ──► memory ──► disk ──► overflow policy
 *                    ▲──────drain, oldest first──┘
 *
 * While a lower tier holds anything, new jobs go to the lowest tier that does, so that none overtakes another. A job
 * leaves a tier only after the primary has acknowledged it.
 */
export class FallbackChain<Payload = unknown> extends EventEmitter<FallbackChainEvents> {
  readonly type: string;
  readonly #options: FallbackChainOptions<Payload>;
  /** The last placement of each order key; the next one of that key waits for it. */
  readonly #lanes = new Map<string, Promise<unknown>>();
  /** Jobs that the drain is offering now; the policy must not drop these. */
  readonly #offering = new Set<string>();
  readonly #droppedIds = new Set<string>();
  #overflowing: Promise<unknown> = Promise.resolve();
  #draining: Promise<void> | undefined;
  #timer: Timer | undefined;
  #tier: ChainTier = 'redis';
  #failures = 0;
  #dropped = 0;
  #overflowed = 0;
  #drained = 0;
  #drainedSinceEmpty = 0;
  #lastError: unknown = null;
  #closed = false;

  /** @throws {TypeError} for the policy 'dlq' without `deadLetter`, or without a tier */
  constructor(options: FallbackChainSetup<Payload>) {
    super();
    this.#options = { ...FALLBACK_CHAIN_DEFAULTS, ...options };
    this.type = options.type;
    if (options.tiers.length === 0) throw new TypeError('Expected at least one tier');
    if (this.#options.overflow === 'dlq' && !options.deadLetter) {
      throw new TypeError("Expected deadLetter for the overflow policy 'dlq'");
    }
    this.#noteTier();
    this.#drainAfter(0); // what an earlier process left on disk
  }

  /**
   * Puts a job into the best place that takes it; jobs of one order key are placed one after the other.
   * @throws {ChaosError} QUEUE_FULL under the policy 'reject', STORE_UNAVAILABLE when the disk cannot write; the job is
   * then nowhere, and its upload must stay where it is
   */
  enqueue(job: FallbackJob<Payload>): Promise<ChainTier> {
    return this.#inLane(job, () => this.#place(job));
  }

  /** Keeps a job that cannot be worked on now in a lower tier, without offering it first. Throws as `enqueue` does. */
  park(job: FallbackJob<Payload>): Promise<ChainTier> {
    return this.#inLane(job, () => this.#placeBelow(job));
  }

  /** Drains now instead of after the wait; resolves when the tiers are empty or the primary is unavailable. */
  async drain(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#draining ??= this.#drainAll().finally(() => {
      this.#draining = undefined;
    });
    await this.#draining;
  }

  get parked(): number {
    return this.#options.tiers.reduce((sum, tier) => sum + tier.size, 0);
  }

  /** Ids held in a tier, for the ledger. Empty for a tier that this chain does not have. */
  ids(name: FallbackTier['name']): ReadonlySet<string> {
    return this.#options.tiers.find((tier) => tier.name === name)?.ids() ?? new Set();
  }

  /** Ids given up by 'drop-oldest' and not enqueued again since. Gone with this process: the event `dropped` tells each. */
  droppedIds(): ReadonlySet<string> {
    return this.#droppedIds;
  }

  status(): FallbackChainStatus {
    const { tiers } = this.#options;
    const memory = tiers.find((tier) => tier.name === 'memory');
    const disk = tiers.find((tier) => tier.name === 'disk');
    const oldest = tiers.map((tier) => tier.oldestAt).filter((at) => at !== null);
    return {
      tier: this.#nextTier(),
      tiers: {
        memory: memory?.size ?? 0,
        memoryMax: memory?.max ?? 0,
        disk: disk?.size ?? 0,
        diskMax: disk?.max ?? 0,
      },
      parked: this.parked,
      oldestAt: oldest.length > 0 ? Math.min(...oldest) : null,
      dropped: this.#dropped,
      overflowed: this.#overflowed,
      drained: this.#drained,
      lastError: this.#lastError === null ? null : textOf(this.#lastError),
    };
  }

  /** Stops draining, waits for the step that runs, and closes the tiers. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#draining;
    await Promise.allSettled(this.#lanes.values());
    await Promise.all(this.#options.tiers.map((tier) => tier.close()));
  }

  async #inLane(job: FallbackJob<Payload>, place: () => Promise<ChainTier>): Promise<ChainTier> {
    if (job.type !== this.type) throw new TypeError(`Expected a job of type ${this.type}, got ${job.type}`);
    if (this.#closed) throw new ChaosError('STORE_UNAVAILABLE', `The ${this.type} chain is closed`);
    this.#droppedIds.delete(job.id); // scheduled again: it has a home
    const key = this.#options.orderKey(job);
    const placing = (this.#lanes.get(key) ?? Promise.resolve()).then(place, place);
    this.#lanes.set(key, placing);
    try {
      return await placing;
    } finally {
      if (this.#lanes.get(key) === placing) this.#lanes.delete(key);
      this.#noteTier();
      if (!this.#draining && !this.#timer) this.#drainAfter(this.#waitMs());
    }
  }

  async #place(job: FallbackJob<Payload>): Promise<ChainTier> {
    if (this.parked > 0) return this.#placeBelow(job);
    try {
      await this.#options.primary.offer(job);
      this.#lastError = null;
      return 'redis';
    } catch (error) {
      this.#lastError = error;
      return this.#placeBelow(job);
    }
  }

  async #placeBelow(job: FallbackJob<Payload>): Promise<ChainTier> {
    const { tiers } = this.#options;
    const lowest = tiers.findLastIndex((tier) => tier.size > 0);
    for (const tier of tiers.slice(Math.max(0, lowest))) {
      try {
        await tier.push(job);
        return tier.name;
      } catch (error) {
        if (!isFull(error)) throw error;
      }
    }
    return this.#overflowWith(job);
  }

  async #overflowWith(job: FallbackJob<Payload>): Promise<ChainTier> {
    const { overflow, deadLetter } = this.#options;
    const at = this.#options.clock.now();
    if (overflow === 'dlq' && deadLetter) {
      await deadLetter(job);
      this.#overflowed++;
      emitSafely<FallbackChainEvents, 'deadLettered'>(this, 'deadLettered', { type: this.type, job, at });
      return 'overflow';
    }
    if (overflow === 'drop-oldest') {
      const dropping = this.#overflowing.then(() => this.#pushOut(job));
      this.#overflowing = dropping.catch(() => {});
      return dropping;
    }
    throw new ChaosError('QUEUE_FULL', `No tier takes another ${this.type} job`);
  }

  /** Makes room in the lowest tier by giving up its oldest job, which is counted and named. */
  async #pushOut(job: FallbackJob<Payload>): Promise<ChainTier> {
    const tier = this.#options.tiers.at(-1);
    if (!tier) throw new TypeError('A chain without a tier');
    while (tier.size >= tier.max) {
      const oldest = await tier.peek(this.#offering.size + 1);
      const given = oldest.find((each) => !this.#offering.has(each.id));
      if (!given) throw new ChaosError('QUEUE_FULL', `Every ${this.type} job of the last tier is on its way`);
      await tier.remove([given.id]);
      this.#dropped++;
      this.#droppedIds.add(given.id);
      const at = this.#options.clock.now();
      emitSafely<FallbackChainEvents, 'dropped'>(this, 'dropped', { type: this.type, job: given, at });
    }
    await tier.push(job);
    return tier.name;
  }

  async #drainAll(): Promise<void> {
    while (!this.#closed && this.parked > 0) {
      if (!this.#options.isReady()) return this.#drainAfter(this.#options.backoff.capMs);
      const tier = this.#options.tiers.find((each) => each.size > 0);
      const peeked = (await tier?.peek(this.#options.drainBatch)) ?? [];
      const jobs = peeked.filter((job) => !this.#droppedIds.has(job.id)); // given up while we were reading
      if (!tier || jobs.length === 0) return this.#drainAfter(this.#options.backoff.baseMs); // being written
      const took = await this.#offerBatch(jobs);
      if (took.length > 0) await tier.remove(took);
      for (const job of jobs) this.#offering.delete(job.id);
      this.#drained += took.length;
      this.#drainedSinceEmpty += took.length;
      this.#noteTier();
      if (took.length < jobs.length) {
        this.#failures++;
        return this.#drainAfter(this.#waitMs());
      }
      this.#failures = 0;
      this.#lastError = null;
    }
    if (this.#drainedSinceEmpty === 0) return;
    const count = this.#drainedSinceEmpty;
    this.#drainedSinceEmpty = 0;
    const at = this.#options.clock.now();
    emitSafely<FallbackChainEvents, 'drained'>(this, 'drained', { type: this.type, count, at });
  }

  /** Ids that the primary acknowledged. */
  async #offerBatch(jobs: readonly FallbackJob<Payload>[]): Promise<string[]> {
    const { primary, orderKey } = this.#options;
    for (const job of jobs) this.#offering.add(job.id);
    if (primary.offerAll) {
      try {
        await primary.offerAll(jobs);
        return jobs.map((job) => job.id);
      } catch (error) {
        this.#lastError = error;
        return [];
      }
    }
    const took: string[] = [];
    let failed = false;
    const lanes = Map.groupBy(jobs, orderKey);
    await Promise.all(
      [...lanes.values()].map(async (lane) => {
        for (const job of lane) {
          if (failed) return;
          try {
            await primary.offer(job);
            took.push(job.id);
          } catch (error) {
            failed = true;
            this.#lastError = error;
          }
        }
      }),
    );
    return took;
  }

  #waitMs(): number {
    const { backoff, random } = this.#options;
    return backoffMs(this.#failures + 1, backoff, random);
  }

  #drainAfter(delayMs: number): void {
    if (this.#closed || this.parked === 0) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.drain().catch((error: unknown) => {
        // The disk cannot be read now; nothing was let go.
        this.#lastError = error;
        this.#failures++;
        this.#drainAfter(this.#waitMs());
      });
    });
  }

  #nextTier(): ChainTier {
    const { tiers } = this.#options;
    if (this.parked === 0) return 'redis';
    const lowest = tiers.findLastIndex((tier) => tier.size > 0);
    return tiers.slice(lowest).find((tier) => tier.size < tier.max)?.name ?? 'overflow';
  }

  #noteTier(): void {
    const from = this.#tier;
    const to = this.#nextTier();
    if (from === to) return;
    this.#tier = to;
    const at = this.#options.clock.now();
    const change = { type: this.type, from, to, at, error: this.#lastError };
    emitSafely<FallbackChainEvents, 'tierChanged'>(this, 'tierChanged', change);
  }
}

function cameraOf(job: FallbackJob): string {
  const { payload } = job;
  if (typeof payload !== 'object' || payload === null || !('camera' in payload)) return '';
  return typeof payload.camera === 'string' ? payload.camera : '';
}

function isFull(error: unknown): boolean {
  return error instanceof ChaosError && error.code === 'QUEUE_FULL';
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
