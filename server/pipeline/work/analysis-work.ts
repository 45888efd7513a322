import { BreakerOpenError } from '#lib/chaos/breaker/breaker-open-error.ts';
import type { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import type { Clock } from '#lib/chaos/clock.ts';
import type { FallbackJob } from '#lib/chaos/fallback/fallback-job.ts';
import { isRetryableError, retry } from '#lib/chaos/retry/retry.ts';
import type { RetryBudget } from '#lib/chaos/retry/retry-budget.ts';
import type { Logger } from '#server/logging.ts';
import type { Cache, EventRecord } from '../contracts.ts';
import type { Database } from '../database/database.ts';
import type { DependencyTracker } from '../dependencies/dependency-tracker.ts';
import type { PipelineProfile } from '../profile.ts';
import { analysisPrompt, type PromptFrame } from './analysis-prompt.ts';
import { defaultAssessment } from './assessment.ts';
import { type Assessment, storeEvent } from './event-rows.ts';
import { HttpStatusError, HttpTimeoutError, MalformedAnswerError } from './http-call.ts';
import type { LanguageModel } from './language-model.ts';
import { type FrameRow, framesWithoutEvent } from './upload-rows.ts';
import type { JobOutcome } from './work-queue.ts';

/** Payload of an analysis job: which frames make one event. The frames themselves are read from the database. */
export interface AnalysisPayload {
  camera: string;
  uploadIds: string[];
}

export interface AnalysisWorkOptions {
  db: Database;
  model: LanguageModel;
  breaker: CircuitBreaker;
  tracker: DependencyTracker;
  cache: Cache;
  clock: Clock;
  logger: Logger;
  retry: PipelineProfile['llmRetry'];
  /** Shared by all who retry. */
  budget: RetryBudget;
  /** Of one call now, ms. */
  timeoutMs: () => number;
  signal: AbortSignal;
  parkMs: number;
  /** The event is stored; its frames are settled. */
  onEvent: (event: EventRecord, frames: readonly FrameRow[]) => void;
  onSettled: (uploadIds: readonly string[]) => void;
  onTimedOut: () => void;
}

/** Judges frames by the language model and stores the event, with a marked default score when there is no answer. */
export class AnalysisWork {
  readonly #options: AnalysisWorkOptions;

  constructor(options: AnalysisWorkOptions) {
    this.#options = options;
  }

  async process(job: FallbackJob<AnalysisPayload>): Promise<JobOutcome> {
    const { db, logger, onEvent, onSettled, parkMs } = this.#options;
    const { camera, uploadIds } = job.payload;
    try {
      const frames = await framesWithoutEvent(db, uploadIds);
      if (frames.length > 0) {
        const assessment = await this.#assess(camera, frames, job);
        const event = await storeEvent(db, { id: job.id, camera, traceId: job.traceId, frames }, assessment);
        if (event) onEvent(event, frames);
      }
      onSettled(uploadIds);
      return { kind: 'done' };
    } catch (error) {
      // The database, or the end of the process: the model's failures have become a default score.
      const err = error instanceof Error ? error.message : String(error);
      const level = this.#options.signal.aborted ? 'info' : 'warn';
      logger[level]({ batchId: job.id, camera, traceId: job.traceId, err }, 'batch parked');
      return { kind: 'parked', countAttempt: false, delayMs: parkMs };
    }
  }

  /**
   * Asks the model through its breaker, retrying what may pass; a time-out or a malformed answer is not retried: the
   * event is wanted at once.
   * @throws whatever the last attempt failed with
   */
  async ask(camera: string, frames: readonly PromptFrame[], traceId: string): Promise<Assessment> {
    const { model, breaker, tracker, timeoutMs, cache, budget, signal } = this.#options;
    const prompt = analysisPrompt(camera, frames);
    const { attempts, baseMs } = this.#options.retry;
    const answer = await retry(
      () =>
        breaker.execute(() => tracker.track('nemotron', () => model.analyse(prompt, timeoutMs(), traceId))),
      {
        attempts,
        baseMs,
        budget,
        signal,
        isRetryable: (error) => isRetryableError(error) && mayPassAtOnce(error),
      },
    );
    await cache.setLastScore(camera, answer.riskScore);
    return { ...answer, riskSource: 'llm', owed: false };
  }

  async #assess(
    camera: string,
    frames: readonly FrameRow[],
    job: FallbackJob<AnalysisPayload>,
  ): Promise<Assessment> {
    const { cache, logger, onTimedOut, signal } = this.#options;
    try {
      return await this.ask(camera, frames, job.traceId);
    } catch (error) {
      if (signal.aborted) throw error; // the process ends: the batch is found again, undecided
      const why = error instanceof Error ? error.message : String(error);
      if (error instanceof HttpTimeoutError) onTimedOut();
      const level = error instanceof BreakerOpenError ? 'info' : 'warn';
      logger[level](
        { batchId: job.id, camera, traceId: job.traceId, err: why },
        'no analysis: default score',
      );
      return defaultAssessment(cache, camera, frames, why);
    }
  }
}

/** A model that asks us to wait, hangs or talks rubbish is not asked again while an event waits. */
function mayPassAtOnce(error: unknown): boolean {
  if (error instanceof HttpStatusError) return error.retryAfterMs === undefined;
  return !(error instanceof HttpTimeoutError) && !(error instanceof MalformedAnswerError);
}
