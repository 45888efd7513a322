import type { Clock } from '#lib/chaos/clock.ts';
import type { FallbackJob } from '#lib/chaos/fallback/fallback-job.ts';
import { backoffMs } from '#lib/chaos/retry/backoff.ts';
import type { Logger } from '#server/logging.ts';
import type { Intake, ValidUpload } from '../contracts.ts';
import type { Database } from '../database/database.ts';
import type { DetectionCalls, FrameVerdict } from './detection-calls.ts';
import type { Frame } from './detector.ts';
import { FrameBatcher } from './frame-batcher.ts';
import { readIfThere } from './read-if-there.ts';
import { type DetectionOutcome, storeUpload, uploadStatus } from './upload-rows.ts';
import type { JobOutcome } from './work-queue.ts';

/** Payload of a detection job: the upload as intake handed it over. */
export type DetectionPayload = ValidUpload;

export interface DetectionWorkOptions {
  db: Database;
  intake: Pick<Intake, 'locate' | 'store' | 'discard'>;
  calls: DetectionCalls;
  clock: Clock;
  logger: Logger;
  /** Base of the wait before a failed job is offered again, ms. */
  parkMs: number;
  /** Gives the job up for now. */
  deadLetter: (job: FallbackJob<DetectionPayload>, error: unknown, retryable: boolean) => Promise<void>;
  /** Whether a dead letter of this upload waits for its re-drive. */
  isDead: (uploadId: string) => boolean;
  /** The upload's row has committed. */
  onStored: (upload: ValidUpload, outcome: DetectionOutcome) => void;
  /** Its content was stored as another upload shortly before: the upload's row says so. */
  onDuplicate: (upload: ValidUpload, originalId: string) => void;
  /** The detector timed out on this many frames, or asked to be left alone for a while. */
  onTimedOut: () => void;
  onRetryAfter: (retryAfterMs: number) => void;
}

/** Calls made for one job before it becomes a dead letter that is re-driven later. */
const MAX_ATTEMPTS = 12;
const BACKOFF = { factor: 2, capMs: 5000, jitterRatio: 0.25 };

/**
 * What a detection job does.
 *
 *     inbox file ─► batch ─► detector ─► row ─► media store
 *
 * The row is the commit point; what comes after it can be repeated.
 */
export class DetectionWork {
  readonly #options: DetectionWorkOptions;
  readonly #batcher: FrameBatcher<Frame, FrameVerdict>;

  constructor(options: DetectionWorkOptions) {
    this.#options = options;
    const { calls, clock } = options;
    this.#batcher = new FrameBatcher({
      clock,
      maxSize: () => calls.maxSize(),
      run: (frames) => calls.run(frames),
    });
  }

  async process(job: FallbackJob<DetectionPayload>): Promise<JobOutcome> {
    const { db, intake, logger } = this.#options;
    const upload = job.payload;
    const log = logger.child({ uploadId: upload.id, camera: upload.camera, traceId: upload.traceId });
    let status: 'stored' | 'duplicate' | undefined;
    try {
      status = await uploadStatus(db, upload.id);
    } catch (error) {
      return this.#databaseFailed(job, error);
    }
    if (status) {
      await this.#tidy(upload.id, status);
      return { kind: 'done' };
    }
    if (this.#options.isDead(upload.id)) {
      // Its end was never acknowledged to Redis, so the job came again; the letter is its home.
      log.info('the dead letter of this job waits for its re-drive');
      return { kind: 'done' };
    }
    if (upload.kind === 'video') return this.#store(job, { kind: 'not_run' });
    const path = await intake.locate(upload.id);
    const bytes = path === undefined ? undefined : await readIfThere(path);
    if (!bytes) {
      // No home is made up for it: the ledger names it as lost.
      log.error('the file of an accepted upload is gone');
      return { kind: 'done' };
    }
    const verdict = await this.#batcher.add({
      id: upload.id,
      camera: upload.camera,
      name: `${upload.id}.jpg`,
      capturedAt: upload.capturedAt,
      traceId: upload.traceId,
      bytes,
    });
    switch (verdict.kind) {
      case 'detected':
        return this.#store(job, { kind: 'done', result: verdict.result });
      case 'unavailable':
        log.warn(
          { stage: 'detection', err: verdict.error.message },
          'detector timed out: stored without detections',
        );
        this.#options.onTimedOut();
        return this.#store(job, { kind: 'unavailable' });
      case 'refused':
        log.error({ stage: 'detection', status: verdict.status }, 'detector refused the frame');
        await this.#options.deadLetter(job, verdict.error, false);
        return { kind: 'done' };
      case 'failed':
        return this.#failed(job, verdict);
    }
  }

  async #failed(
    job: FallbackJob<DetectionPayload>,
    verdict: Extract<FrameVerdict, { kind: 'failed' }>,
  ): Promise<JobOutcome> {
    const attempts = job.attempts + (verdict.called ? 1 : 0);
    if (verdict.retryAfterMs !== null) this.#options.onRetryAfter(verdict.retryAfterMs);
    if (attempts >= MAX_ATTEMPTS) {
      await this.#options.deadLetter(job, verdict.error, true);
      return { kind: 'done' };
    }
    return { kind: 'parked', countAttempt: verdict.called, delayMs: this.#delayMs(attempts) };
  }

  async #store(job: FallbackJob<DetectionPayload>, outcome: DetectionOutcome): Promise<JobOutcome> {
    const { db, onStored, onDuplicate } = this.#options;
    const upload = job.payload;
    let home: Awaited<ReturnType<typeof storeUpload>>;
    try {
      home = await storeUpload(db, upload, outcome);
    } catch (error) {
      return this.#databaseFailed(job, error);
    }
    if (home.status === 'duplicate') {
      onDuplicate(upload, home.originalId);
      await this.#tidy(upload.id, 'duplicate');
      return { kind: 'done' };
    }
    onStored(upload, outcome);
    await this.#tidy(upload.id, 'stored');
    const { logger } = this.#options;
    const result = outcome.kind === 'done' ? outcome.result : undefined;
    logger.info(
      {
        stage: 'detected',
        uploadId: upload.id,
        camera: upload.camera,
        traceId: upload.traceId,
        detection: outcome.kind,
        detections: result?.detections.length ?? 0,
        inferenceTimeMs: result?.inferenceTimeMs,
        sinceAcceptedMs: this.#options.clock.now() - upload.acceptedAt,
      },
      'upload stored',
    );
    return { kind: 'done' };
  }

  #databaseFailed(job: FallbackJob<DetectionPayload>, error: unknown): JobOutcome {
    const { logger } = this.#options;
    logger.warn(
      { uploadId: job.id, traceId: job.traceId, err: error instanceof Error ? error.message : String(error) },
      'database: job parked',
    );
    return { kind: 'parked', countAttempt: false, delayMs: this.#delayMs(1) };
  }

  /** Takes the file out of the inbox. Its row is there, so a failure is made good by reconciliation. */
  async #tidy(uploadId: string, status: 'stored' | 'duplicate'): Promise<void> {
    const { intake, logger } = this.#options;
    try {
      if (status === 'stored') await intake.store(uploadId);
      else await intake.discard(uploadId);
    } catch (error) {
      logger.warn({ uploadId, err: error }, 'the file stays in the inbox for now');
    }
  }

  #delayMs(attempt: number): number {
    return backoffMs(attempt, { baseMs: this.#options.parkMs, ...BACKOFF }, Math.random);
  }
}
