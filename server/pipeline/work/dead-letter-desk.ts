import { type Clock, sleep, type Timer } from '#lib/chaos/clock.ts';
import type { DeadLetterStore } from '#lib/chaos/dead-letters/dead-letter-store.ts';
import type { FallbackJob } from '#lib/chaos/fallback/fallback-job.ts';
import type { Logger } from '#server/logging.ts';
import type { Intake, IntakeDeadLetter } from '../contracts.ts';
import { describeError, isRedrivable, type LetterPayload } from './letter-payload.ts';

export interface DeadLetterDeskOptions {
  store: DeadLetterStore;
  intake: () => Pick<Intake, 'resubmit'>;
  /** Gives a job back to the queue of its type. */
  enqueue: (job: FallbackJob<unknown>) => Promise<void>;
  /** Whether the service that a queue's jobs need is well. */
  isWell: (queue: string) => boolean;
  /** Ids of the faults in force. */
  faultIds: () => string[];
  clock: Clock;
  logger: Logger;
}

/** Re-drives by itself before a letter waits for a person. */
const MAX_AUTOMATIC = 5;
const AUTOMATIC_BASE_MS = 10_000;
const AUTOMATIC_A_ROUND = 50;
const AUTOMATIC_PER_SECOND = 20;
const LOOK_MS = 5000;

/** Writes dead letters and gives them back: one that is asked for, or by itself when the failure may have passed. */
export class DeadLetterDesk {
  readonly #options: DeadLetterDeskOptions;
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: DeadLetterDeskOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.after(LOOK_MS, () => {
      this.#looking = this.#redriveDue()
        .catch((error: unknown) => this.#options.logger.warn({ err: error }, 'automatic re-drive failed'))
        .finally(() => {
          if (!this.#stopping.signal.aborted) this.start();
        });
    });
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#stopping.abort();
    await this.#looking;
  }

  /** A job that is given up for now. */
  async writeJob(
    job: FallbackJob<unknown>,
    failure: { queue: string; uploadId: string | null; error: unknown; retryable: boolean },
  ): Promise<void> {
    const { queue, uploadId, error, retryable } = failure;
    const payload: LetterPayload = { retryable, job: { ...job, attempts: 0 } };
    await this.#options.store.put({
      key: `${queue}:${job.id}`,
      queue,
      uploadId,
      error: describeError(error),
      attempts: job.attempts + 1,
      firstFailedAt: job.enqueuedAt,
      faultIds: this.#options.faultIds(),
      traceId: job.traceId,
      payload,
    });
  }

  /** An upload that never became work. */
  async writeUpload(letter: IntakeDeadLetter): Promise<void> {
    const { key, queue, code, message, uploadId, camera, name, traceId } = letter;
    await this.#options.store.put({
      key,
      queue,
      uploadId,
      error: { code, message },
      faultIds: this.#options.faultIds(),
      traceId,
      payload: { retryable: false, camera, name },
    });
  }

  /** The upload is stored after all: its letters are done with. */
  async resolveUpload(uploadId: string): Promise<void> {
    const { store } = this.#options;
    for (const id of store.idsOfUpload(uploadId)) await store.markResolved(id, uploadId);
  }

  /** Gives a letter back to its queue. False when no such letter waits, or it is on its way already. */
  async redrive(id: string): Promise<boolean> {
    const { store, intake, enqueue, clock, logger } = this.#options;
    const letter = store.get(id);
    const given = await store.redrive(id, async ({ payload, uploadId }) => {
      const { job } = payload as LetterPayload;
      if (job) await enqueue({ ...job, enqueuedAt: clock.now() });
      else if (uploadId !== null) await intake().resubmit(uploadId);
    });
    if (given) {
      logger.info({ letterId: id, queue: letter?.queue, traceId: letter?.traceId }, 'dead letter re-driven');
    }
    return given;
  }

  async #redriveDue(): Promise<void> {
    const { store, isWell, clock } = this.#options;
    const due: string[] = [];
    const now = clock.now();
    for (const letter of store.matching({})) {
      const { retryable } = letter.payload as LetterPayload;
      if (!retryable || letter.redrives >= MAX_AUTOMATIC || !isRedrivable(letter)) continue;
      const waitMs = AUTOMATIC_BASE_MS * 2 ** letter.redrives;
      if (now - letter.lastFailedAt < waitMs || !isWell(letter.queue)) continue;
      due.push(letter.id);
      if (due.length === AUTOMATIC_A_ROUND) break;
    }
    for (const id of due) {
      await this.redrive(id);
      await sleep(clock, 1000 / AUTOMATIC_PER_SECOND, this.#stopping.signal);
    }
  }
}
