/** A pending timer; `cancel()` is idempotent and safe after it fired. */
export interface Timer {
  cancel(): void;
}

/** Time as the core sees it. Injected everywhere, so that tests move it by hand. */
export interface Clock {
  /** Wall-clock time, epoch ms. May step; use it for display and records only. */
  now(): number;
  /** Monotonic time, ms from an arbitrary start. Never steps back; use it for every deadline. */
  monotonicMs(): number;
  /** Runs `callback` once after `delayMs` (≥ 0) of monotonic time. The timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
}

/** Node's longest timer; longer delays are split. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const dueAt = performance.now() + Math.max(0, delayMs);
    let handle: ReturnType<typeof setTimeout>;
    const arm = () => {
      const leftMs = dueAt - performance.now();
      handle = setTimeout(
        leftMs > MAX_TIMEOUT_MS ? arm : callback,
        Math.min(Math.max(leftMs, 0), MAX_TIMEOUT_MS),
      );
      handle.unref();
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * A clock that moves only when told to.
 *
 * `advance(ms)` runs due timers in order of their due time, then of creation; `stepWall(ms)` moves only the
 * wall clock, as an administrator or NTP would.
 */
export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #order = 0;
  #timers: { dueMs: number; order: number; callback: () => void }[] = [];

  constructor(wallMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = wallMs;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { dueMs: this.#monotonicMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  advance(ms: number): void {
    const untilMs = this.#monotonicMs + ms;
    for (;;) {
      const next = this.#timers
        .filter((timer) => timer.dueMs <= untilMs)
        .sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#move(next.dueMs - this.#monotonicMs);
      next.callback();
    }
    this.#move(untilMs - this.#monotonicMs);
  }

  stepWall(ms: number): void {
    this.#wallMs += ms;
  }

  #move(ms: number): void {
    this.#monotonicMs += ms;
    this.#wallMs += ms;
  }
}

/**
 * Resolves after `delayMs`.
 * @throws the signal's reason when `signal` aborts first
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
