import { DelayedError, type Job, type JobsOptions, Queue, Worker } from 'bullmq';
import type { Clock } from '#lib/chaos/clock.ts';
import { FallbackChain } from '#lib/chaos/fallback/fallback-chain.ts';
import type { FallbackJob } from '#lib/chaos/fallback/fallback-job.ts';
import type { FallbackTier } from '#lib/chaos/fallback/fallback-tier.ts';
import type { QueueStatus } from '#lib/protocol/state.ts';
import { JobRegister } from './job-register.ts';
import {
  DRAIN_DELAY_SECONDS,
  producerConnection,
  type RedisAddress,
  workerConnection,
} from './queue-connection.ts';

/** What became of a job. */
export type JobOutcome =
  /** It needs no schedule any more. */
  | { kind: 'done' }
  /** It cannot be worked on now: it goes back to the queue and is not taken before `delayMs` have passed. */
  | { kind: 'parked'; countAttempt: boolean; delayMs: number };

export interface WorkQueueOptions<Payload> {
  /** For example `detection`; the queue in Redis is `detection_queue`. */
  name: QueueStatus['name'];
  redis: RedisAddress;
  redisTimeoutMs: number;
  concurrency: number;
  lockMs: number;
  stalledMs: number;
  tiers: readonly FallbackTier<Payload>[];
  deadLetter: (job: FallbackJob<Payload>) => Promise<void>;
  /** Around each call to Redis for adding jobs: breaker and tracker. */
  guard: <T>(call: () => Promise<T>) => Promise<T>;
  /** Does the work. A throw parks the job. */
  process: (job: FallbackJob<Payload>) => Promise<JobOutcome>;
  clock: Clock;
  /** Told of errors of the connections and of parked jobs. */
  onError: (text: string, error: unknown) => void;
}

const JOB_OPTIONS = {
  removeOnComplete: true,
  removeOnFail: true,
  // A handler never fails a job on purpose; what fails on the way comes again.
  attempts: 1_000_000,
  backoff: { type: 'fixed', delay: 500 },
} as const satisfies JobsOptions;

/**
 * One kind of work: BullMQ while Redis takes jobs, the fallback chain in front of it, a worker behind a gate.
 *
 *     add ─► chain ─► BullMQ ─► gate ─► worker ─► process ─► done
 *                       ▲──────── parked ───────────┘
 *
 * A job that cannot be given back (Redis is gone) keeps its place there: its lock runs out and it is found again.
 */
export class WorkQueue<Payload extends { camera: string }> {
  readonly #options: WorkQueueOptions<Payload>;
  readonly #queue: Queue<FallbackJob<Payload>>;
  readonly #worker: Worker<FallbackJob<Payload>>;
  readonly #chain: FallbackChain<Payload>;
  readonly #register: JobRegister;
  #started = false;
  #open = false;
  #closed = false;

  constructor(options: WorkQueueOptions<Payload>) {
    this.#options = options;
    const { name, redis, redisTimeoutMs, clock } = options;
    const queueName = `${name}_queue`;
    this.#register = new JobRegister(clock);
    this.#queue = new Queue(queueName, {
      connection: producerConnection(redis, redisTimeoutMs),
      defaultJobOptions: JOB_OPTIONS,
      skipVersionCheck: true,
    });
    this.#queue.on('error', (error) => options.onError(`${queueName}: producer`, error));
    this.#worker = new Worker(queueName, (job, token) => this.#work(job, token), {
      connection: workerConnection(redis, redisTimeoutMs),
      autorun: false,
      concurrency: options.concurrency,
      drainDelay: DRAIN_DELAY_SECONDS,
      lockDuration: options.lockMs,
      stalledInterval: options.stalledMs,
      maxStalledCount: 1_000_000, // a job is never given up for having had bad workers
      skipVersionCheck: true,
    });
    this.#worker.on('error', (error) => options.onError(`${queueName}: worker`, error));
    this.#chain = new FallbackChain<Payload>({
      type: name,
      primary: {
        offer: (job) => this.#offer([job]),
        offerAll: (jobs) => this.#offer(jobs),
      },
      tiers: options.tiers,
      deadLetter: options.deadLetter,
      clock,
    });
  }

  /** Schedules a job; resolves once some tier holds it. Harmless for an id that is scheduled. */
  async add(job: FallbackJob<Payload>): Promise<void> {
    await this.#chain.enqueue(job);
    this.#register.added(job.id, job.enqueuedAt);
  }

  /** Opens or closes the gate: while it is closed no job is taken and what was parked stays there. */
  setOpen(open: boolean): void {
    if (this.#closed || open === this.#open) return;
    this.#open = open;
    if (!open) {
      this.#worker.pause(true).catch((error) => this.#options.onError('pause', error));
      return;
    }
    if (this.#started) this.#worker.resume().catch((error) => this.#options.onError('resume', error));
    else {
      this.#started = true;
      this.#worker.run().catch((error) => this.#options.onError('worker ended', error));
    }
    this.#chain.drain().catch((error) => this.#options.onError('drain', error));
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Everything that is scheduled, from the queues themselves. @throws when Redis cannot be read */
  async scheduled(): Promise<{ queued: Set<string>; parked: Set<string> }> {
    const before = this.#register.waitingIds();
    const held = await this.#options.guard(() =>
      this.#timed(this.#queue.getRanges(['waiting', 'active', 'delayed', 'prioritized'], 0, -1)),
    );
    const queued = new Set(held.filter((id) => id !== null && id !== undefined && !id.startsWith('0:')));
    const parked = new Set([...this.#chain.ids('memory'), ...this.#chain.ids('disk')]);
    this.#register.correct(new Set([...queued, ...parked]), before);
    return { queued, parked };
  }

  /** The jobs in Redis with their payloads, at most `limit`; past the guard. @throws when Redis cannot be read */
  async jobs(limit: number): Promise<FallbackJob<Payload>[]> {
    // Two round trips: under a latency that single calls bear it must not look like a failure.
    const found = await this.#timed(this.#queue.getJobs(['waiting', 'active', 'delayed'], 0, limit - 1), 3);
    return found.filter((job) => job !== undefined && job !== null).map((job) => job.data);
  }

  /** Ids in the fallback tiers. */
  fallbackIds(): { memory: ReadonlySet<string>; disk: ReadonlySet<string> } {
    return { memory: this.#chain.ids('memory'), disk: this.#chain.ids('disk') };
  }

  /** Ids being worked on in this process. */
  inFlight(): ReadonlySet<string> {
    return this.#register.activeIds();
  }

  knows(id: string): boolean {
    return this.#register.waitingIds().has(id) || this.#register.activeIds().has(id);
  }

  droppedIds(): ReadonlySet<string> {
    return this.#chain.droppedIds();
  }

  status(): QueueStatus {
    const chain = this.#chain.status();
    const depth = this.#register.depth;
    return {
      name: this.#options.name,
      depth,
      inFlight: this.#register.inFlight,
      parked: this.#open ? chain.parked : Math.max(chain.parked, depth),
      oldestAgeMs: this.#register.oldestAgeMs(),
      inPerSecond: this.#register.arrivals.perSecond(),
      outPerSecond: this.#register.departures.perSecond(),
      tier: chain.tier,
      tiers: chain.tiers,
      dropped: chain.dropped,
      paused: !this.#open,
    };
  }

  /** Stops at once: jobs in hand are left to their locks. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#open = false;
    // close(true) first and only: a plain close waits for Redis.
    await withLimit(this.#worker.close(true), 500);
    await withLimit(this.#chain.close(), 1000);
    await withLimit(this.#queue.close(), 300);
    await withLimit(this.#queue.disconnect(), 300);
  }

  async #offer(jobs: readonly FallbackJob<Payload>[]): Promise<void> {
    await this.#options.guard(() =>
      this.#timed(
        this.#queue.addBulk(
          jobs.map((job) => ({
            name: this.#options.name,
            data: job,
            opts: { ...JOB_OPTIONS, jobId: job.id },
          })),
        ),
      ),
    );
  }

  /** BullMQ waits without end for a connection that was never ready. */
  #timed<T>(call: Promise<T>, factor = 1): Promise<T> {
    const limitMs = this.#options.redisTimeoutMs * factor;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            Object.assign(new Error(`Redis timed out after ${limitMs} ms`), { code: 'DEADLINE_EXCEEDED' }),
          ),
        limitMs,
      );
      call.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  async #work(job: Job<FallbackJob<Payload>>, token: string | undefined): Promise<void> {
    const { data } = job;
    if (!this.#open) return this.#giveBack(job, token, CLOSING_MS); // fetched while the gate was closing
    this.#register.started(data.id, data.enqueuedAt);
    const outcome = await this.#options.process(data).catch((error: unknown): JobOutcome => {
      this.#options.onError(`${this.#options.name} job ${data.id}`, error);
      return { kind: 'parked', countAttempt: true, delayMs: 1000 };
    });
    if (outcome.kind === 'done') {
      this.#register.ended(data.id);
      return;
    }
    this.#register.returned(data.id, data.enqueuedAt);
    if (outcome.countAttempt) await job.updateData({ ...data, attempts: data.attempts + 1 });
    await this.#giveBack(job, token, outcome.delayMs);
  }

  async #giveBack(job: Job, token: string | undefined, delayMs: number): Promise<never> {
    await job.moveToDelayed(this.#options.clock.now() + Math.round(delayMs), token);
    throw new DelayedError();
  }
}

/** Delay of a job that came through the gate as it closed, ms. */
const CLOSING_MS = 500;

/** Waits for `work`, but not longer than `limitMs`; its failure is of no interest any more. */
async function withLimit(work: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work.then(() => {}).catch(() => {}), limit]);
  clearTimeout(timer);
}
