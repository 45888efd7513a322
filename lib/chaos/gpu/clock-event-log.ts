import { CLOCK_EVENT_REASONS, THROTTLE_BITS } from './clock-events.ts';

/** How far back it tells, ms. */
export const CLOCK_EVENT_WINDOW_MS = 300_000;
const BUCKET_MS = 1000;
const BUCKETS = CLOCK_EVENT_WINDOW_MS / BUCKET_MS;

/** What the last five minutes were like, ms. */
export interface ClockEventTimes {
  readonly windowMs: number;
  /** Of the window, how much was written down. */
  readonly observedMs: number;
  /** With at least one bit set that means heat. */
  readonly throttledMs: number;
  /** By bit; 0 for one that was never set. */
  readonly heldMs: ReadonlyMap<number, number>;
}

interface Bucket {
  /** Second of the clock that it is about. */
  second: number;
  observedMs: number;
  throttledMs: number;
  /** In the order of `CLOCK_EVENT_REASONS`. */
  heldMs: number[];
}

/** For how long each clock event reason held within the last five minutes, to the second. */
export class ClockEventLog {
  readonly #buckets: Bucket[] = [];

  /**
   * Writes down that `bits` held for `durationMs` up to `untilMs` (monotonic). Times ascend; a stretch longer than a
   * second counts as if it had passed in its last one.
   */
  add(bits: number, untilMs: number, durationMs: number): void {
    const bucket = this.#bucketOf(untilMs);
    bucket.observedMs += durationMs;
    if ((bits & THROTTLE_BITS) !== 0) bucket.throttledMs += durationMs;
    for (const [index, { bit }] of CLOCK_EVENT_REASONS.entries()) {
      if ((bits & bit) !== 0) bucket.heldMs[index] = (bucket.heldMs[index] ?? 0) + durationMs;
    }
  }

  /** @param nowMs monotonic */
  times(nowMs: number): ClockEventTimes {
    this.#forget(nowMs);
    const sum = (pick: (bucket: Bucket) => number) =>
      Math.round(this.#buckets.reduce((total, bucket) => total + pick(bucket), 0));
    return {
      windowMs: CLOCK_EVENT_WINDOW_MS,
      observedMs: sum((bucket) => bucket.observedMs),
      throttledMs: sum((bucket) => bucket.throttledMs),
      heldMs: new Map(
        CLOCK_EVENT_REASONS.map(({ bit }, index) => [bit, sum((bucket) => bucket.heldMs[index] ?? 0)]),
      ),
    };
  }

  #bucketOf(atMs: number): Bucket {
    // The moment that ends a second belongs to it.
    const second = Math.ceil(atMs / BUCKET_MS) - 1;
    const newest = this.#buckets.at(-1);
    if (newest && newest.second >= second) return newest;
    const bucket = { second, observedMs: 0, throttledMs: 0, heldMs: CLOCK_EVENT_REASONS.map(() => 0) };
    this.#buckets.push(bucket);
    this.#forget(atMs);
    return bucket;
  }

  #forget(nowMs: number): void {
    const first = Math.ceil(nowMs / BUCKET_MS) - BUCKETS;
    while (this.#buckets[0] && this.#buckets[0].second < first) this.#buckets.shift();
  }
}
