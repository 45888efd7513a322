import type { Clock } from '#lib/chaos/clock.ts';
import { RateMeter } from './rate-meter.ts';

/**
 * The jobs of one queue as this process knows them: scheduled somewhere, or being worked on.
 *
 * It is a view for gauges and ages; the truth is in the queue's tiers and is compared with it by `correct`.
 */
export class JobRegister {
  readonly #clock: Clock;
  /** When each job that waits was enqueued, epoch ms. */
  readonly #waiting = new Map<string, number>();
  readonly #active = new Map<string, number>();
  /** Ended since the last correction: what was read before may still name them. */
  readonly #ended = new Set<string>();
  readonly arrivals: RateMeter;
  readonly departures: RateMeter;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.arrivals = new RateMeter(clock);
    this.departures = new RateMeter(clock);
  }

  added(id: string, enqueuedAt: number): void {
    this.arrivals.count();
    if (!this.#active.has(id)) this.#waiting.set(id, enqueuedAt);
    this.#ended.delete(id);
  }

  started(id: string, enqueuedAt: number): void {
    this.#waiting.delete(id);
    this.#active.set(id, enqueuedAt);
  }

  /** Back among those that wait. */
  returned(id: string, enqueuedAt: number): void {
    this.#active.delete(id);
    this.#waiting.set(id, enqueuedAt);
  }

  ended(id: string): void {
    this.departures.count();
    this.#active.delete(id);
    this.#waiting.delete(id);
    this.#ended.add(id);
  }

  /** Takes over what the tiers really hold. `before` are the ids that waited when the reading began. */
  correct(held: ReadonlySet<string>, before: ReadonlySet<string>): void {
    for (const id of before) if (!held.has(id)) this.#waiting.delete(id);
    for (const id of held) {
      if (!this.#waiting.has(id) && !this.#active.has(id) && !this.#ended.has(id)) {
        this.#waiting.set(id, this.#clock.now());
      }
    }
    this.#ended.clear();
  }

  waitingIds(): ReadonlySet<string> {
    return new Set(this.#waiting.keys());
  }

  activeIds(): ReadonlySet<string> {
    return new Set(this.#active.keys());
  }

  get depth(): number {
    return this.#waiting.size;
  }

  get inFlight(): number {
    return this.#active.size;
  }

  /** Age of the oldest job that waits or is worked on, ms; null when there is none. */
  oldestAgeMs(): number | null {
    let oldest = Number.POSITIVE_INFINITY;
    for (const at of this.#waiting.values()) oldest = Math.min(oldest, at);
    for (const at of this.#active.values()) oldest = Math.min(oldest, at);
    return oldest === Number.POSITIVE_INFINITY ? null : Math.max(0, this.#clock.now() - oldest);
  }
}
