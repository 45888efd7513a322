/** A unit of work. `id` makes it idempotent: the same id offered twice is done once. */
export interface FallbackJob<Payload = unknown> {
  readonly id: string;
  readonly type: string;
  readonly payload: Payload;
  readonly traceId: string;
  /** Epoch ms. */
  readonly enqueuedAt: number;
  /** Attempts made so far. */
  readonly attempts: number;
}
