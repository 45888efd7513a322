import { BreakerOpenError } from '#lib/chaos/breaker/breaker-open-error.ts';
import type { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import { type Clock, sleep } from '#lib/chaos/clock.ts';
import type { DependencyTracker } from '../dependencies/dependency-tracker.ts';
import type { BatchSize } from './batch-size.ts';
import {
  type DetectionResult,
  type Detector,
  DetectorUnavailableError,
  type Frame,
  type FrameOutcome,
} from './detector.ts';
import { HttpStatusError } from './http-call.ts';

/** What one frame's detection came to. */
export type FrameVerdict =
  | { kind: 'detected'; result: DetectionResult }
  /** The detector did not answer in time. */
  | { kind: 'unavailable'; error: DetectorUnavailableError }
  /** The frame itself is refused: trying again gives the same. */
  | { kind: 'refused'; error: Error; status: number; body: string }
  /** Worth another try later. */
  | { kind: 'failed'; error: unknown; retryAfterMs: number | null; called: boolean };

export interface DetectionCallsOptions {
  detector: Detector;
  breaker: CircuitBreaker;
  tracker: DependencyTracker;
  batchSize: BatchSize;
  clock: Clock;
  /** Of one call now, ms. */
  timeoutMs: () => number;
}

/** How often a call waits for a free trial while the breaker is half open, and for how long at most, ms. */
const TRIAL_POLL_MS = 50;
const TRIAL_WAIT_MS = 4000;

/** Makes detection calls through the breaker and gives every frame a verdict of its own; it never throws. */
export class DetectionCalls {
  readonly #options: DetectionCallsOptions;

  constructor(options: DetectionCallsOptions) {
    this.#options = options;
  }

  /** One at a time while the breaker is not closed: a trial must not risk a whole batch. */
  maxSize(): number {
    const { breaker, batchSize } = this.#options;
    return breaker.state === 'CLOSED' ? batchSize.current : 1;
  }

  async run(frames: readonly Frame[]): Promise<FrameVerdict[]> {
    try {
      const outcomes = await this.#call(frames);
      this.#options.batchSize.succeeded();
      return await Promise.all(
        outcomes.map((outcome, index) => this.#verdictOf(outcome, frames[index] as Frame)),
      );
    } catch (error) {
      return this.#failed(frames, error);
    }
  }

  /** Past the batcher, for a frame whose detection is owed. */
  async runOne(frame: Frame): Promise<FrameVerdict> {
    const [verdict] = await this.run([frame]);
    return verdict ?? { kind: 'failed', error: new Error('no verdict'), retryAfterMs: null, called: false };
  }

  async #call(frames: readonly Frame[]): Promise<FrameOutcome[]> {
    const { breaker, tracker, detector, timeoutMs, batchSize } = this.#options;
    const limitTo = (size: number) => batchSize.limitTo(size);
    await this.#awaitTrial();
    return breaker.execute(() =>
      tracker.track('yolo26', () => detector.detect(frames, timeoutMs(), limitTo)),
    );
  }

  async #awaitTrial(): Promise<void> {
    const { breaker, clock } = this.#options;
    const untilMs = clock.monotonicMs() + TRIAL_WAIT_MS;
    while (breaker.state === 'HALF_OPEN' && clock.monotonicMs() < untilMs) {
      const { trials, halfOpenMaxCalls } = breaker.status();
      if (trials < halfOpenMaxCalls) return;
      await sleep(clock, TRIAL_POLL_MS);
    }
  }

  /** The item of a 207 that failed is tried once more alone. */
  async #verdictOf(outcome: FrameOutcome, frame: Frame): Promise<FrameVerdict> {
    if (outcome.ok) return { kind: 'detected', result: outcome.result };
    return this.runOne(frame);
  }

  async #failed(frames: readonly Frame[], failure: unknown): Promise<FrameVerdict[]> {
    if (failure instanceof DetectorUnavailableError && failure.reason === 'timeout') {
      return frames.map(() => ({ kind: 'unavailable', error: failure }));
    }
    const error = originalOf(failure);
    if (isOutOfMemory(error)) this.#options.batchSize.outOfMemory();
    if (frames.length > 1 && (isOutOfMemory(error) || isRefusal(error))) {
      // Too much at once, or one bad frame among good ones: in halves.
      const half = Math.ceil(frames.length / 2);
      const first = await this.run(frames.slice(0, half));
      return [...first, ...(await this.run(frames.slice(half)))];
    }
    if (isRefusal(error)) {
      return frames.map(() => ({ kind: 'refused', error, status: error.status, body: error.body }));
    }
    const called = !(error instanceof BreakerOpenError);
    const retryAfterMs = error instanceof HttpStatusError ? (error.retryAfterMs ?? null) : null;
    return frames.map(() => ({ kind: 'failed', error, retryAfterMs, called }));
  }
}

/** A status that blames the request: 4xx, but not "later" (408, 425, 429). */
function isRefusal(error: unknown): error is HttpStatusError {
  if (!(error instanceof HttpStatusError)) return false;
  return error.status >= 400 && error.status < 500 && ![408, 425, 429].includes(error.status);
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof HttpStatusError && /OUT_OF_MEMORY|CUDA out of memory/i.test(error.body);
}

/** What the client's wrapper holds. */
function originalOf(error: unknown): unknown {
  return error instanceof DetectorUnavailableError ? error.cause : error;
}

/** What counts against the detector's breaker: neither a bad frame nor a batch that was too large. */
export function isDetectorFailure(error: unknown): boolean {
  return !isRefusal(error) && !isOutOfMemory(originalOf(error));
}
