import type { Clock } from '#lib/chaos/clock.ts';
import type { Logger } from '#server/logging.ts';
import type { Database } from '../database/database.ts';
import type { PipelineProfile } from '../profile.ts';
import type { AnalysisPayload } from './analysis-work.ts';
import { batchIdOf } from './batch-id.ts';
import { type ClosedBatch, EventBatcher } from './event-batcher.ts';
import { unbatchedFrames } from './upload-rows.ts';
import type { WorkQueue } from './work-queue.ts';

export interface EventMakingOptions {
  db: Database;
  clock: Clock;
  logger: Logger;
  batch: PipelineProfile['batch'];
  /** The analysis queue; made after this. */
  queue: () => WorkQueue<AnalysisPayload>;
}

/** Frames read back in one sweep. */
const SWEEP_LIMIT = 2000;
/** After its first sweep, a sweep looks only at frames detected within this, ms. */
const SWEEP_BACK_MS = 3_600_000;

/** Turns stored frames into analysis jobs, and finds the frames whose job was lost. */
export class EventMaking {
  readonly #options: EventMakingOptions;
  readonly #batcher: EventBatcher;
  /** Frames of closed batches that are in no event yet, with their batch. */
  readonly #batched = new Map<string, string>();
  #sweptAll = false;

  constructor(options: EventMakingOptions) {
    this.#options = options;
    this.#batcher = new EventBatcher({
      clock: options.clock,
      ...options.batch,
      onClosed: (batch) => void this.#schedule(batch),
    });
  }

  add(frame: { uploadId: string; camera: string; detections: number; traceId: string }): void {
    if (!this.#batched.has(frame.uploadId)) this.#batcher.add(frame);
  }

  /** The frames of this batch are in an event now, or it was found that they already were. */
  settled(uploadIds: readonly string[]): void {
    for (const id of uploadIds) this.#batched.delete(id);
  }

  /**
   * Batches again what is in no event and has no job: after a restart, or when a job was lost.
   * @throws when the database or Redis cannot be read
   */
  async sweep(): Promise<void> {
    const { db, clock, queue, logger } = this.#options;
    const jobs = await queue().jobs(500);
    const { queued, parked } = await queue().scheduled();
    const inFlight = queue().inFlight();
    for (const { id, payload } of jobs)
      for (const uploadId of payload.uploadIds) this.#batched.set(uploadId, id);
    for (const [uploadId, batchId] of this.#batched) {
      if (!queued.has(batchId) && !parked.has(batchId) && !inFlight.has(batchId))
        this.#batched.delete(uploadId);
    }
    const since = new Date(this.#sweptAll ? clock.now() - SWEEP_BACK_MS : 0);
    const frames = await unbatchedFrames(db.direct, since, SWEEP_LIMIT);
    this.#sweptAll ||= frames.length < SWEEP_LIMIT;
    const forgotten = frames.filter(
      ({ uploadId }) => !this.#batched.has(uploadId) && !this.#batcher.has(uploadId),
    );
    if (forgotten.length > 0)
      logger.info({ frames: forgotten.length }, 'frames without an event: batched again');
    for (const { uploadId, camera, detections, traceId } of forgotten) {
      this.#batcher.add({ uploadId, camera, detections: detections.length, traceId });
    }
  }

  close(): void {
    this.#batcher.close();
  }

  async #schedule({ camera, uploadIds, traceId }: ClosedBatch): Promise<void> {
    const { clock, queue, logger } = this.#options;
    const id = batchIdOf(camera, uploadIds);
    for (const uploadId of uploadIds) this.#batched.set(uploadId, id);
    try {
      const payload = { camera, uploadIds };
      await queue().add({ id, type: 'analysis', payload, traceId, enqueuedAt: clock.now(), attempts: 0 });
      logger.info({ stage: 'batched', batchId: id, camera, traceId, uploads: uploadIds }, 'batch closed');
    } catch (error) {
      // The sweep finds its frames again.
      this.settled(uploadIds);
      logger.warn({ batchId: id, camera, traceId, err: error }, 'batch could not be scheduled');
    }
  }
}
