import type { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import type { Clock, Timer } from '#lib/chaos/clock.ts';
import type { Logger } from '#server/logging.ts';
import type { EventRecord, Intake } from '../contracts.ts';
import type { Database } from '../database/database.ts';
import type { PipelineProfile } from '../profile.ts';
import type { AnalysisWork } from './analysis-work.ts';
import type { DetectionCalls } from './detection-calls.ts';
import { loadEvent, owedEvents, reassessEvent } from './event-rows.ts';
import { readIfThere } from './read-if-there.ts';
import { forgiveFrame, type OwedFrame, owedFrames, settleFrame } from './upload-rows.ts';

export interface OwedWorkOptions {
  db: Database;
  intake: () => Pick<Intake, 'locate'>;
  calls: DetectionCalls;
  analysis: Pick<AnalysisWork, 'ask'>;
  detectorBreaker: CircuitBreaker;
  modelBreaker: CircuitBreaker;
  clock: Clock;
  logger: Logger;
  rhythm: PipelineProfile['owed'];
  /** Whether the detector, the model and the database are well, as far as is known. */
  canDetect: () => boolean;
  canAnalyse: () => boolean;
  /** An event that viewers have seen is different now. */
  onUpdated: (event: EventRecord) => void;
}

const FRAMES_A_ROUND = 4;

/**
 * Makes good what was promised while a service was down: detections of frames stored without, analyses of events with
 * a default score. Oldest first, one at a time, only while the service is well: it never competes with new work.
 */
export class OwedWork {
  readonly #options: OwedWorkOptions;
  /** Ids that could not be settled, until when they are left alone (monotonic). */
  readonly #deferred = new Map<string, number>();
  readonly #timers = new Set<Timer>();
  readonly #rounds = new Set<Promise<void>>();
  #closed = false;

  constructor(options: OwedWorkOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop(() => this.#redetect());
    this.#loop(() => this.#reanalyse());
  }

  /** Waits for the calls in hand, which have deadlines of their own. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    await Promise.allSettled(this.#rounds);
  }

  #loop(round: () => Promise<boolean>): void {
    const { logger, rhythm } = this.#options;
    const turn = async () => {
      const foundSome = await round().catch((error: unknown) => {
        logger.debug({ err: error }, 'owed work: later');
        return false;
      });
      if (!this.#closed) this.#after(foundSome ? rhythm.busyMs : rhythm.idleMs, next);
    };
    const next = () => {
      const running = turn().finally(() => this.#rounds.delete(running));
      this.#rounds.add(running);
    };
    this.#after(rhythm.idleMs, next);
  }

  #after(delayMs: number, callback: () => void): void {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
  }

  async #redetect(): Promise<boolean> {
    const { db, detectorBreaker, canDetect } = this.#options;
    if (!canDetect() || detectorBreaker.state !== 'CLOSED') return false;
    const frames = await owedFrames(db, FRAMES_A_ROUND, this.#deferredNow());
    for (const frame of frames) {
      if (this.#closed || !(await this.#redetectOne(frame))) return false;
    }
    return frames.length > 0;
  }

  /** False: not now, neither this one nor others. */
  async #redetectOne(frame: OwedFrame): Promise<boolean> {
    const { db, intake, calls, logger, onUpdated } = this.#options;
    const { uploadId, camera, traceId, capturedAt, eventId } = frame;
    const path = await intake().locate(uploadId);
    let bytes: Buffer | undefined;
    try {
      bytes = path === undefined ? undefined : await readIfThere(path);
    } catch (error) {
      logger.warn({ uploadId, traceId, err: error }, 'owed detection: the file cannot be read now');
      this.#defer(uploadId);
      return true;
    }
    if (!bytes) {
      logger.warn({ uploadId, traceId }, 'owed detection given up: the file is gone');
      await forgiveFrame(db, uploadId);
      return true;
    }
    const verdict = await calls.runOne({
      id: uploadId,
      camera,
      name: `${uploadId}.jpg`,
      capturedAt,
      traceId,
      bytes,
    });
    if (verdict.kind === 'refused') {
      logger.warn({ uploadId, traceId, status: verdict.status }, 'owed detection given up: frame refused');
      await forgiveFrame(db, uploadId);
      return true;
    }
    if (verdict.kind !== 'detected') return false;
    if (verdict.result.warmingUp) {
      this.#defer(uploadId);
      return true;
    }
    await settleFrame(db, uploadId, verdict.result);
    logger.info(
      { stage: 'redetected', uploadId, camera, traceId, detections: verdict.result.detections.length },
      'owed detection made',
    );
    if (eventId !== null) {
      const event = await loadEvent(db, eventId);
      if (event) onUpdated(event);
    }
    return true;
  }

  async #reanalyse(): Promise<boolean> {
    const { db, analysis, modelBreaker, canAnalyse, logger, onUpdated } = this.#options;
    if (!canAnalyse() || modelBreaker.state === 'OPEN' || modelBreaker.state === 'FORCED_OPEN') return false;
    const [eventId] = await owedEvents(db, 1, this.#deferredNow());
    const event = eventId === undefined ? undefined : await loadEvent(db, eventId);
    if (!event) return false;
    const frames = event.uploads.map(({ detections, degraded, capturedAt }) => ({
      at: capturedAt ?? event.startedAt,
      detections,
      degraded,
    }));
    try {
      await reassessEvent(db, event.id, await analysis.ask(event.camera, frames, event.traceId));
    } catch (error) {
      this.#defer(event.id);
      throw error;
    }
    const { id, camera, traceId } = event;
    logger.info({ stage: 'reanalysed', eventId: id, camera, traceId }, 'owed analysis made');
    const updated = await loadEvent(db, id);
    if (updated) onUpdated(updated);
    return true;
  }

  #defer(id: string): void {
    const { clock, rhythm } = this.#options;
    this.#deferred.set(id, clock.monotonicMs() + rhythm.deferMs);
  }

  #deferredNow(): string[] {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [id, untilMs] of this.#deferred) if (untilMs <= nowMs) this.#deferred.delete(id);
    return [...this.#deferred.keys()];
  }
}
