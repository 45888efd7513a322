/** Whole ms up to here are told apart; what took longer counts as this. */
const CEILING_MS = 10_000;

/** Counts of latencies by whole millisecond: as small for a million of them as for ten, and those of processes add up. */
export class Latencies {
  readonly #counts = new Uint32Array(CEILING_MS + 1);

  add(ms: number): void {
    const cell = Math.min(CEILING_MS, Math.max(0, Math.round(ms)));
    this.#counts[cell] = (this.#counts[cell] ?? 0) + 1;
  }

  /** Takes in what another process has counted: pairs of ms and count. */
  addCounts(counts: readonly (readonly [number, number])[]): void {
    for (const [ms, count] of counts) this.#counts[ms] = (this.#counts[ms] ?? 0) + count;
  }

  /** Pairs of ms and count, of those that occurred. */
  counts(): [number, number][] {
    return [...this.#counts.entries()].filter(([, count]) => count > 0);
  }

  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** The latency within which a share (0–1) of them lies, ms; 0 of none. */
  percentile(share: number): number {
    const wanted = Math.ceil(this.count * share);
    let seen = 0;
    for (const [ms, count] of this.#counts.entries()) {
      seen += count;
      if (count > 0 && seen >= wanted) return ms;
    }
    return 0;
  }
}
