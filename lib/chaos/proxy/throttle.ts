import type { Clock, Timer } from '../clock.ts';

export interface ThrottleOptions {
  clock: Clock;
  write: (bytes: Buffer) => void;
  /** What waits has fallen below half of `THROTTLE_HIGH_BYTES`. */
  onRoom: () => void;
}

/** Bytes beyond which whoever fills a throttle must pause. */
export const THROTTLE_HIGH_BYTES = 64 * 1024;
/** Bytes are passed in steps of about this long. */
const STEP_MS = 20;

/** Passes bytes at a rate, in order. Without a rate they pass at once. */
export class Throttle {
  readonly #options: ThrottleOptions;
  #rate: number | undefined;
  #waiting: (Buffer | (() => void))[] = [];
  #sizeBytes = 0;
  /** Monotonic time at which what was passed has been paid for. */
  #paidMs = 0;
  #timer: Timer | undefined;

  constructor(options: ThrottleOptions) {
    this.#options = options;
  }

  /** Bytes waiting. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get full(): boolean {
    return this.#sizeBytes > THROTTLE_HIGH_BYTES;
  }

  get idle(): boolean {
    return this.#waiting.length === 0;
  }

  /** Bytes a second; undefined passes what waits at once. */
  setRate(bytesPerSecond: number | undefined): void {
    if (bytesPerSecond === this.#rate) return;
    this.#rate = bytesPerSecond;
    if (bytesPerSecond === undefined) this.flush();
    else this.#pump();
  }

  push(bytes: Buffer): void {
    if (this.#rate === undefined && this.idle) {
      this.#options.write(bytes);
      return;
    }
    this.#waiting.push(bytes);
    this.#sizeBytes += bytes.length;
    if (this.#waiting.length > 1) return;
    // An idle time buys no burst; a late timer loses no rate.
    this.#paidMs = Math.max(this.#paidMs, this.#options.clock.monotonicMs() - STEP_MS);
    this.#pump();
  }

  /** Runs `then` after everything pushed so far has been passed. */
  afterwards(then: () => void): void {
    if (this.idle) then();
    else this.#waiting.push(then);
  }

  /** Passes everything now. */
  flush(): void {
    this.#timer?.cancel();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#sizeBytes = 0;
    for (const item of waiting) {
      if (typeof item === 'function') item();
      else this.#options.write(item);
    }
    if (waiting.length > 0) this.#options.onRoom();
  }

  /** Forgets everything. */
  clear(): void {
    this.#timer?.cancel();
    this.#waiting = [];
    this.#sizeBytes = 0;
  }

  #pump(): void {
    this.#timer?.cancel();
    const { clock, write, onRoom } = this.#options;
    const nowMs = clock.monotonicMs();
    const before = this.#sizeBytes;
    while (this.#waiting.length > 0) {
      const first = this.#waiting[0];
      if (typeof first === 'function') {
        this.#waiting.shift();
        first();
        continue;
      }
      if (!first || this.#rate === undefined || this.#paidMs > nowMs) break;
      const stepBytes = Math.min(first.length, Math.max(1, Math.floor((this.#rate * STEP_MS) / 1000)));
      if (stepBytes === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(stepBytes);
      this.#sizeBytes -= stepBytes;
      this.#paidMs += (stepBytes * 1000) / this.#rate;
      write(first.subarray(0, stepBytes));
    }
    const low = THROTTLE_HIGH_BYTES / 2;
    if (this.#sizeBytes < low && before >= low) onRoom();
    if (this.#waiting.length === 0) return;
    this.#timer = clock.after(Math.max(0, this.#paidMs - clock.monotonicMs()), () => this.#pump());
  }
}
