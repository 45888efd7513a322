const RATE_WINDOW_MS = 10_000;
const MAX_SAMPLES = 2000;

/** Rate and duration of the uploads of the last ten seconds. Times are monotonic ms. */
export class UploadStatistics {
  readonly #samples: { atMs: number; tookMs: number }[] = [];

  add(atMs: number, tookMs: number): void {
    this.#samples.push({ atMs, tookMs });
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }

  uploadsPerSecond(nowMs: number): number {
    this.#forget(nowMs);
    return this.#samples.length / (RATE_WINDOW_MS / 1000);
  }

  /** null when nothing was uploaded. */
  p95Ms(nowMs: number): number | null {
    this.#forget(nowMs);
    const sorted = this.#samples.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
    return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? null;
  }

  #forget(nowMs: number): void {
    while (this.#samples[0] && this.#samples[0].atMs < nowMs - RATE_WINDOW_MS) this.#samples.shift();
  }
}
