import type { ServiceFaults } from './service-faults.ts';

/** The rate of one connection under bandwidth faults: whether one slows it is drawn once for each fault. */
export class DrawnRate {
  readonly #faults: ServiceFaults;
  readonly #onHit: () => void;
  #drawn: { faultId: string; slowed: boolean } | undefined;

  constructor(faults: ServiceFaults, onHit: () => void) {
    this.#faults = faults;
    this.#onHit = onHit;
  }

  /** Bytes a second by the fault now in force; undefined when none slows this connection. */
  bytesPerSecond(): number | undefined {
    const acting = this.#faults.first('throttle');
    if (!acting) {
      this.#drawn = undefined;
      return undefined;
    }
    if (this.#drawn?.faultId !== acting.id) {
      const slowed = this.#faults.throttle() !== undefined;
      if (slowed) this.#onHit();
      this.#drawn = { faultId: acting.id, slowed };
    }
    return this.#drawn.slowed ? Number(acting.params['rateKibPerSecond']) * 1024 : undefined;
  }
}
