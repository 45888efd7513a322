import type { Clock, Timer } from '../clock.ts';
import type { FaultSpec } from '../faults/fault.ts';

export type Side = 'client' | 'server';

/** Bytes that a held connection takes from each side before it stops reading. */
export const MAX_HELD_BYTES = 1024 * 1024;

/** The time for which a fault holds one connection. What comes meanwhile is counted, not kept. */
export class Hold {
  readonly faultId: string;
  readonly #clock: Clock;
  readonly #sinceMs: number;
  readonly #onOver: () => void;
  readonly #bytes: Record<Side, number> = { client: 0, server: 0 };
  #timer: Timer | undefined;

  constructor(fault: FaultSpec, clock: Clock, onOver: () => void) {
    this.faultId = fault.id;
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
    this.#onOver = onOver;
    this.follow(fault);
  }

  /** Takes the fault's delay, counted from when the hold began; without one it lasts as long as the fault. */
  follow(fault: FaultSpec): void {
    this.#timer?.cancel();
    const delayMs = fault.params['delayMs'];
    if (delayMs === undefined) return;
    const dueMs = this.#sinceMs + Number(delayMs);
    this.#timer = this.#clock.after(dueMs - this.#clock.monotonicMs(), this.#onOver);
  }

  /**
   * A held connection is read for a while, so that a peer that gives up is noticed, then its peers fill up.
   * @returns whether this side may be read further
   */
  takes(from: Side, bytes: number): boolean {
    this.#bytes[from] += bytes;
    return this.#bytes[from] <= MAX_HELD_BYTES;
  }

  clear(): void {
    this.#timer?.cancel();
  }
}
