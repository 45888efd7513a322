/** Largest batch that is ever sent. */
const MAX_BATCH_SIZE = 8;
/** Good batches after which a halved size is doubled again. */
const GOOD_BATCHES = 20;

/**
 * How many frames go into one call: halved when the GPU runs out of memory, less when the detector says that it takes
 * less, doubled after 20 good batches.
 */
export class BatchSize {
  #size = MAX_BATCH_SIZE;
  #good = 0;

  get current(): number {
    return this.#size;
  }

  outOfMemory(): void {
    this.#size = Math.max(1, Math.floor(this.#size / 2));
    this.#good = 0;
  }

  /** As the detector says. */
  limitTo(size: number): void {
    if (size >= this.#size) return;
    this.#size = Math.max(1, Math.floor(size));
    this.#good = 0;
  }

  succeeded(): void {
    if (this.#size === MAX_BATCH_SIZE) return;
    if (++this.#good < GOOD_BATCHES) return;
    this.#size = Math.min(MAX_BATCH_SIZE, this.#size * 2);
    this.#good = 0;
  }
}
