import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface LoopLagOptions {
  /** Told when the loop was held for longer, with the ms. */
  onLag: (lagMs: number) => void;
  /** @default 200 */
  thresholdMs?: number;
  /** Pause between two tellings, ms. @default 5000 */
  quietMs?: number;
}

const RESOLUTION_MS = 10;
const READ_EVERY_MS = 1000;

/**
 * Watches this process's own event loop: a control process that hangs must not look healthy. Its own start loads
 * code and holds the loop, so nothing is told in the first `quietMs`.
 */
export class LoopLag {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  #lagMs = 0;
  #toldAt = performance.now();

  constructor({ onLag, thresholdMs = 200, quietMs = 5000 }: LoopLagOptions) {
    this.#histogram.enable();
    this.#timer = setInterval(() => {
      this.#lagMs = Math.max(0, Math.round(this.#histogram.max / 1e6 - RESOLUTION_MS));
      this.#histogram.reset();
      if (this.#lagMs < thresholdMs || performance.now() - this.#toldAt < quietMs) return;
      this.#toldAt = performance.now();
      onLag(this.#lagMs);
    }, READ_EVERY_MS);
    this.#timer.unref();
  }

  /** Longest hold of the last second, ms. */
  get lagMs(): number {
    return this.#lagMs;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }
}
