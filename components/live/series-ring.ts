/**
 * Samples of many series on one fixed time grid, in typed arrays. A cell that was never written, or that was
 * passed over, is NaN: a gap stays a gap.
 */
export interface SeriesRingOptions {
  /** Width of a cell, ms. @default 500 */
  stepMs: number;
  /** Cells kept. @default 7200, one hour */
  capacity: number;
}

export const SERIES_RING_DEFAULTS: SeriesRingOptions = { stepMs: 500, capacity: 7_200 };

export class SeriesRing {
  readonly stepMs: number;
  readonly capacity: number;
  readonly #series = new Map<string, Float64Array>();
  /** Newest cell number since the epoch; older than `#head - capacity` is gone. */
  #head = -1;

  constructor(options: Partial<SeriesRingOptions> = {}) {
    const { stepMs, capacity } = { ...SERIES_RING_DEFAULTS, ...options };
    if (!(stepMs > 0)) throw new RangeError(`Expected stepMs to be above 0, got ${stepMs}`);
    if (!(Number.isInteger(capacity) && capacity > 1)) {
      throw new RangeError(`Expected capacity to be a whole number above 1, got ${capacity}`);
    }
    this.stepMs = stepMs;
    this.capacity = capacity;
  }

  /** Server time of the newest cell, epoch ms; null while empty. */
  get newestAt(): number | null {
    return this.#head < 0 ? null : this.#head * this.stepMs;
  }

  /** Writes one sample. Null is a gap; a sample older than what is kept is ignored. */
  write(name: string, at: number, value: number | null): void {
    const cell = Math.floor(at / this.stepMs);
    this.#advance(cell);
    if (cell <= this.#head - this.capacity) return;
    let values = this.#series.get(name);
    if (!values) {
      values = new Float64Array(this.capacity).fill(Number.NaN);
      this.#series.set(name, values);
    }
    values[cell % this.capacity] = value ?? Number.NaN;
  }

  /**
   * Fills cells that are still gaps from history: each value covers all cells of its step. What arrived live
   * is never overwritten.
   */
  backfill(name: string, startAt: number, stepMs: number, values: readonly (number | null)[]): void {
    for (const [index, value] of values.entries()) {
      if (value === null) continue;
      const from = Math.floor((startAt + index * stepMs) / this.stepMs);
      const to = Math.max(from + 1, Math.floor((startAt + (index + 1) * stepMs) / this.stepMs));
      for (let cell = from; cell < to; cell++) {
        if (Number.isNaN(this.#read(name, cell))) this.write(name, cell * this.stepMs, value);
      }
    }
  }

  /** The value of the cell at a time; NaN is a gap. */
  at(name: string, at: number): number {
    return this.#read(name, Math.floor(at / this.stepMs));
  }

  #read(name: string, cell: number): number {
    if (cell > this.#head || cell <= this.#head - this.capacity || cell < 0) return Number.NaN;
    return this.#series.get(name)?.[cell % this.capacity] ?? Number.NaN;
  }

  #advance(cell: number): void {
    if (cell <= this.#head) return;
    if (this.#head >= 0) {
      const passed = Math.min(cell - this.#head, this.capacity);
      for (const values of this.#series.values()) {
        for (let step = 0; step < passed; step++) values[(cell - step) % this.capacity] = Number.NaN;
      }
    }
    this.#head = cell;
  }
}
