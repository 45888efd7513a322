/** Durations of the last calls, ms. */
export class LatencyWindow {
  readonly #size: number;
  readonly #durations: number[] = [];

  constructor(size: number) {
    if (!(Number.isInteger(size) && size >= 1))
      throw new RangeError(`Expected size to be from 1, got ${size}`);
    this.#size = size;
  }

  add(durationMs: number): void {
    this.#durations.push(durationMs);
    if (this.#durations.length > this.#size) this.#durations.shift();
  }

  /** 95th percentile by nearest rank; null until the window is full. */
  p95(): number | null {
    if (this.#durations.length < this.#size) return null;
    const sorted = this.#durations.toSorted((a, b) => a - b);
    return sorted[Math.ceil(0.95 * sorted.length) - 1] ?? null;
  }
}
