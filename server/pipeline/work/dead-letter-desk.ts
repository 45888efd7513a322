import { type Clock, sleep, type Timer } from '#lib/chaos/clock.ts';
import type { DeadLetter } from '#lib/chaos/dead-letters/dead-letter.ts';
import type { DeadLetterStore } from '#lib/chaos/dead-letters/dead-letter-store.ts';
import type { FallbackJob } from '#lib/chaos/fallback/fallback-job.ts';
import type { AgentCommands, DlqPage } from '#lib/protocol/events.ts';
import type { Logger } from '#server/logging.ts';
import type { Intake, IntakeDeadLetter } from '../contracts.ts';
import type { DroppedUploads } from './dropped-uploads.ts';
import { HttpStatusError, MalformedAnswerError } from './http-call.ts';

/** What a letter of ours holds beside its error: enough to give the job back. */
interface LetterPayload {
  retryable: boolean;
  job?: FallbackJob<unknown>;
}

export interface DeadLetterDeskOptions {
  store: DeadLetterStore;
  dropped: DroppedUploads;
  intake: () => Pick<Intake, 'resubmit' | 'discard'>;
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
const LOOK_MS = 5000;

/** Writes dead letters, shows them, and gives them back: by command, or by itself when the failure may have passed. */
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

  async list(request: AgentCommands['dlq:list']['request']): Promise<DlqPage> {
    return this.#options.store.list(request);
  }

  /** Gives letters back, at most `ratePerSecond`; answers at once with how many it has taken on. */
  async redrive(request: AgentCommands['dlq:redrive']['request']): Promise<{ accepted: number }> {
    const { store, logger } = this.#options;
    const { ids, ratePerSecond = 20, ...filter } = request;
    const letters = (
      ids
        ? ids.map((id) => store.get(id)).filter((letter) => letter !== undefined)
        : store.list({ ...filter, limit: 10_000 }).items
    ).filter(isRedrivable);
    const [only] = letters;
    if (letters.length === 1 && only) await this.#redriveOne(only);
    else {
      void this.#redriveAll(letters, ratePerSecond).catch((error: unknown) =>
        logger.warn({ err: error }, 're-drive stopped'),
      );
    }
    return { accepted: letters.length };
  }

  /** Removes a letter for good. An accepted upload that is nowhere else is then dropped, by name. */
  async purge({ id, reason }: AgentCommands['dlq:purge']['request']): Promise<{ purged: boolean }> {
    const { store, dropped, intake, clock } = this.#options;
    const letter = store.get(id);
    if (!letter) return { purged: false };
    if (letter.uploadId !== null && letter.queue === 'detection') {
      await dropped.add(letter.uploadId, reason, clock.now());
      await intake().discard(letter.uploadId);
    }
    return { purged: await store.purge(id, reason) };
  }

  async #redriveAll(letters: readonly DeadLetter[], ratePerSecond: number): Promise<void> {
    for (const letter of letters) {
      await this.#redriveOne(letter);
      await sleep(this.#options.clock, 1000 / ratePerSecond, this.#stopping.signal);
    }
  }

  async #redriveOne(letter: DeadLetter): Promise<void> {
    const { store, intake, enqueue, clock, logger } = this.#options;
    const given = await store.redrive(letter.id, async ({ payload, uploadId }) => {
      const { job } = payload as LetterPayload;
      if (job) await enqueue({ ...job, enqueuedAt: clock.now() });
      else if (uploadId !== null) await intake().resubmit(uploadId);
    });
    if (!given) return;
    logger.info(
      { letterId: letter.id, queue: letter.queue, traceId: letter.traceId },
      'dead letter re-driven',
    );
  }

  async #redriveDue(): Promise<void> {
    const { store, isWell, clock } = this.#options;
    if (store.size === 0) return;
    const due = store.list({ limit: 10_000 }).items.filter((letter) => {
      const { retryable } = letter.payload as LetterPayload;
      if (!retryable || letter.redrives >= MAX_AUTOMATIC || !isRedrivable(letter)) return false;
      const waitMs = AUTOMATIC_BASE_MS * 2 ** letter.redrives;
      return isWell(letter.queue) && clock.now() - letter.lastFailedAt >= waitMs;
    });
    await this.#redriveAll(due.slice(0, 50), 20);
  }
}

/** A partial file that was never accepted cannot be given back: the camera sends it again. */
function isRedrivable(letter: DeadLetter): boolean {
  return (letter.payload as LetterPayload).job !== undefined || letter.uploadId !== null;
}

function describeError(error: unknown): { code: string; message: string; status?: number; body?: string } {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  const described = { code: typeof code === 'string' ? code : 'UNKNOWN', message };
  if (error instanceof HttpStatusError) return { ...described, status: error.status, body: error.body };
  if (error instanceof MalformedAnswerError) return { ...described, body: error.body };
  return described;
}
