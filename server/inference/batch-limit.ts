/** Good batches after which a halved limit is doubled again. */
const GOOD_BATCHES = 20;

/** How many images are run at once: halved when memory runs out, doubled after 20 good batches. */
export class BatchLimit {
  readonly max: number;
  #current: number;
  #good = 0;

  constructor(max: number) {
    this.max = max;
    this.#current = max;
  }

  get current(): number {
    return this.#current;
  }

  outOfMemory(): void {
    this.#current = Math.max(1, Math.floor(this.#current / 2));
    this.#good = 0;
  }

  succeeded(): void {
    if (this.#current === this.max || ++this.#good < GOOD_BATCHES) return;
    this.#current = Math.min(this.max, this.#current * 2);
    this.#good = 0;
  }
}
