import type { FallbackJob } from './fallback-job.ts';

/** A bounded store that keeps jobs in the order in which they came. Each id is held at most once. */
export interface FallbackTier<Payload = unknown> {
  readonly name: 'memory' | 'disk';
  /** Most jobs that it takes. */
  readonly max: number;
  /** Jobs held, those on their way in included. */
  readonly size: number;
  /** Epoch ms at which the oldest job held was enqueued; null when empty. */
  readonly oldestAt: number | null;
  /**
   * Resolves once the job is as safe as this tier can make it. An id that is held already is left alone.
   * @throws {ChaosError} QUEUE_FULL, or STORE_UNAVAILABLE when the store cannot write
   */
  push(job: FallbackJob<Payload>): Promise<void>;
  /** The oldest jobs, oldest first, at most `limit`; they stay. */
  peek(limit: number): Promise<FallbackJob<Payload>[]>;
  /** Lets go of jobs that somebody else has acknowledged. Unknown ids are ignored. */
  remove(ids: readonly string[]): Promise<void>;
  /** Ids held now. */
  ids(): ReadonlySet<string>;
  close(): Promise<void>;
}
