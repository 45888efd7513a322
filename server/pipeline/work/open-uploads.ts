import type { Clock } from '#lib/chaos/clock.ts';

/** Accepted uploads that have no terminal home yet, with the time of their acceptance. */
export class OpenUploads {
  readonly #clock: Clock;
  readonly #acceptedAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(id: string, acceptedAt: number): void {
    this.#acceptedAt.set(id, acceptedAt);
  }

  settled(id: string): void {
    this.#acceptedAt.delete(id);
  }

  /** Takes over what reconciliation found. */
  replace(open: ReadonlyMap<string, number>): void {
    for (const id of this.#acceptedAt.keys()) if (!open.has(id)) this.#acceptedAt.delete(id);
    for (const [id, acceptedAt] of open) this.#acceptedAt.set(id, acceptedAt);
  }

  has(id: string): boolean {
    return this.#acceptedAt.has(id);
  }

  /** Age of the oldest, ms; null when there is none. */
  oldestAgeMs(): number | null {
    let oldest = Number.POSITIVE_INFINITY;
    for (const at of this.#acceptedAt.values()) oldest = Math.min(oldest, at);
    return oldest === Number.POSITIVE_INFINITY ? null : Math.max(0, this.#clock.now() - oldest);
  }
}
