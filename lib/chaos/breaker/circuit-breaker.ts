import { EventEmitter } from 'node:events';
import { abortable, isDeadlineError } from '../abort.ts';
import type { Timer } from '../clock.ts';
import { emitSafely } from '../emit.ts';
import { type Origin, originOfMany } from '../origin.ts';
import { BreakerOpenError } from './breaker-open-error.ts';
import { BREAKER_DEFAULTS, type BreakerOptions, checkThresholds } from './breaker-options.ts';

/** FORCED_OPEN is held by hand until released. */
export type BreakerState = 'CLOSED' | 'OPEN' | 'HALF_OPEN' | 'FORCED_OPEN';

export type BreakerChangeReason =
  | 'failure_threshold'
  | 'recovery_timeout'
  | 'success_threshold'
  | 'trial_failed'
  | 'forced_open'
  | 'closed_by_hand'
  | 'reset_by_hand';

/** One of the calls that moved a breaker. */
export interface BreakerCall {
  /** When it ended, epoch ms. */
  readonly at: number;
  /** null: it was not timed (see `timeCalls`). */
  readonly durationMs: number | null;
  /** Text of the failure, shortened; null when it succeeded. */
  readonly error: string | null;
  /** Of the failure; null when it succeeded. */
  readonly origin: Origin | null;
}

export interface BreakerChange {
  readonly breaker: string;
  readonly from: BreakerState;
  readonly to: BreakerState;
  /** Epoch ms. */
  readonly at: number;
  readonly reason: BreakerChangeReason;
  /** Consecutive failures that led here; 0 when none did. */
  readonly failures: number;
  /** Of those failures; null when none led here. */
  readonly origin: Origin | null;
  /** Time spent in `from`, ms. */
  readonly spentMs: number;
  /** What led here, oldest first: the failures in a row, or the trials. Empty when time or a hand did. At most 20. */
  readonly calls: readonly BreakerCall[];
}

export interface CircuitBreakerEvents {
  stateChanged: [BreakerChange];
  /** A call was turned away. */
  rejected: [{ breaker: string; at: number; state: BreakerState; retryAfterMs: number }];
}

/** Durations in ms, times epoch ms. */
export interface BreakerStatus {
  name: string;
  state: BreakerState;
  since: number;
  failures: number;
  failureThreshold: number;
  trials: number;
  halfOpenMaxCalls: number;
  successes: number;
  successThreshold: number;
  /** Until a trial is let through; null unless OPEN. */
  retryAfterMs: number | null;
  calls: { succeeded: number; failed: number; rejected: number; injected: number; organic: number };
  transitions: number;
  /** Time in each state before the present phase, which lasts since `since`; ms. */
  spentMs: Record<BreakerState, number>;
  lastError: string | null;
}

export interface BreakerMetrics {
  succeeded: number;
  /** Counted failures; `injected + organic`. */
  failed: number;
  injected: number;
  organic: number;
  /** Turned away without a call. */
  rejected: number;
  /** Aborted by the caller, or failed with an error that is excluded. */
  uncounted: number;
  transitions: number;
  /** Time spent in each state, ms, the present one included. */
  timeInStateMs: Record<BreakerState, number>;
}

/** Calls kept for the story of a change. */
const CALLS_KEPT = 20;
/** An error's text is shortened to this many characters there. */
const ERROR_LENGTH = 200;

type Phase =
  | { readonly state: 'CLOSED'; failures: number; injected: number; calls: BreakerCall[] }
  | { readonly state: 'OPEN'; readonly dueMs: number; readonly timer: Timer; readonly failures: number }
  | { readonly state: 'HALF_OPEN'; trials: number; successes: number; readonly calls: BreakerCall[] }
  | { readonly state: 'FORCED_OPEN' };

interface Cause {
  readonly reason: BreakerChangeReason;
  readonly failures: number;
  readonly origin: Origin | null;
  /** @default none */
  readonly calls?: readonly BreakerCall[];
}

const zeroCalls = () => ({ succeeded: 0, failed: 0, injected: 0, organic: 0, rejected: 0, uncounted: 0 });

/**
 * Stops calling a service that keeps failing, and tries it again by itself.
 *
 *     CLOSED ──failureThreshold──► OPEN ──recoveryTimeoutMs──► HALF_OPEN ──successThreshold──► CLOSED
 *                                   ▲────────any counted failure──┘
 *     any ──forceOpen()──► FORCED_OPEN ──close() or reset()──► CLOSED
 *
 * A result counts only in the state in which its call started. No listener can change an outcome.
 */
export class CircuitBreaker extends EventEmitter<CircuitBreakerEvents> {
  readonly name: string;
  readonly #options: BreakerOptions;
  #phase: Phase = { state: 'CLOSED', failures: 0, injected: 0, calls: [] };
  #since: number;
  #sinceMonotonicMs: number;
  #calls = zeroCalls();
  #transitions = 0;
  #lastError: string | null = null;
  #spentMs: Record<BreakerState, number> = { CLOSED: 0, OPEN: 0, HALF_OPEN: 0, FORCED_OPEN: 0 };

  /** @throws {RangeError} for a threshold out of range */
  constructor(name: string, options: Partial<BreakerOptions> = {}) {
    super();
    this.name = name;
    this.#options = { ...BREAKER_DEFAULTS, ...options };
    checkThresholds(this.#options);
    this.#since = this.#options.clock.now();
    this.#sinceMonotonicMs = this.#options.clock.monotonicMs();
  }

  get state(): BreakerState {
    return this.#phase.state;
  }

  /**
   * Runs `call` unless the circuit is open.
   *
   * Aborting `signal` rejects with its reason at once, frees the trial's slot, and counts neither way, unless the
   * reason is a time-out (`TimeoutError` or code DEADLINE_EXCEEDED): that is a failure of the service.
   * @throws {BreakerOpenError} while open, or while all trial slots are taken
   */
  async execute<T>(call: (signal?: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) throw signal.reason;
    let phase = this.#phase;
    if (phase.state !== 'CLOSED') phase = this.#admit();
    const { clock, timeCalls } = this.#options;
    const startedMs = timeCalls || phase.state !== 'CLOSED' ? clock.monotonicMs() : null;
    try {
      const value = signal ? await abortable(call(signal), signal) : await call();
      this.#succeeded(phase, startedMs);
      return value;
    } catch (error) {
      this.#failed(phase, error, signal, startedMs);
      throw error;
    } finally {
      if (phase.state === 'HALF_OPEN') phase.trials--;
    }
  }

  /** Rejects every call until `close` or `reset`. */
  forceOpen(): void {
    if (this.#phase.state === 'FORCED_OPEN') return;
    this.#enter({ state: 'FORCED_OPEN' }, { reason: 'forced_open', failures: 0, origin: null });
  }

  /** Closes it, from whatever state, with no failure counted. */
  close(): void {
    this.#toClosed('closed_by_hand');
  }

  /** Closes it and forgets every count. */
  reset(): void {
    this.#calls = zeroCalls();
    this.#lastError = null;
    this.#toClosed('reset_by_hand');
  }

  /** Cancels the timer. The breaker stays as it is. */
  dispose(): void {
    if (this.#phase.state === 'OPEN') this.#phase.timer.cancel();
  }

  status(): BreakerStatus {
    const phase = this.#phase;
    const { failureThreshold, halfOpenMaxCalls, successThreshold } = this.#options;
    const { succeeded, failed, rejected, injected, organic } = this.#calls;
    return {
      name: this.name,
      state: phase.state,
      since: this.#since,
      failures: phase.state === 'CLOSED' || phase.state === 'OPEN' ? phase.failures : 0,
      failureThreshold,
      trials: phase.state === 'HALF_OPEN' ? phase.trials : 0,
      halfOpenMaxCalls,
      successes: phase.state === 'HALF_OPEN' ? phase.successes : 0,
      successThreshold,
      retryAfterMs: phase.state === 'OPEN' ? this.#leftMs(phase) : null,
      calls: { succeeded, failed, rejected, injected, organic },
      transitions: this.#transitions,
      spentMs: { ...this.#spentMs },
      lastError: this.#lastError,
    };
  }

  metrics(): BreakerMetrics {
    const timeInStateMs = { ...this.#spentMs };
    timeInStateMs[this.#phase.state] += this.#options.clock.monotonicMs() - this.#sinceMonotonicMs;
    return { ...this.#calls, transitions: this.#transitions, timeInStateMs };
  }

  /** Lets a trial through, or turns the call away. */
  #admit(): Phase {
    // The timer may be late on a busy loop; the call that comes first then does its work.
    if (this.#phase.state === 'OPEN' && this.#leftMs(this.#phase) === 0) this.#toHalfOpen();
    const phase = this.#phase;
    if (phase.state === 'CLOSED') return phase;
    if (phase.state === 'HALF_OPEN' && phase.trials < this.#options.halfOpenMaxCalls) {
      phase.trials++;
      return phase;
    }
    const retryAfterMs = phase.state === 'OPEN' ? this.#leftMs(phase) : this.#options.recoveryTimeoutMs;
    this.#calls.rejected++;
    emitSafely<CircuitBreakerEvents, 'rejected'>(this, 'rejected', {
      breaker: this.name,
      at: this.#options.clock.now(),
      state: phase.state,
      retryAfterMs,
    });
    throw new BreakerOpenError(this.name, retryAfterMs);
  }

  #succeeded(phase: Phase, startedMs: number | null): void {
    this.#calls.succeeded++;
    if (phase !== this.#phase) return;
    if (phase.state === 'CLOSED') {
      if (phase.failures > 0) phase.calls = [];
      phase.failures = 0;
      phase.injected = 0;
    } else if (phase.state === 'HALF_OPEN') {
      this.#remember(phase.calls, startedMs, null, null);
      if (++phase.successes >= this.#options.successThreshold) {
        this.#toClosed('success_threshold', phase.calls);
      }
    }
  }

  #failed(phase: Phase, error: unknown, signal: AbortSignal | undefined, startedMs: number | null): void {
    const abandoned = signal?.aborted === true && !isDeadlineError(signal.reason);
    if (abandoned || !this.#options.isFailure(error)) {
      this.#calls.uncounted++;
      return;
    }
    const origin = this.#options.originOf(error);
    this.#calls.failed++;
    this.#calls[origin]++;
    this.#lastError = error instanceof Error ? error.message : String(error);
    if (phase !== this.#phase) return;
    if (phase.state !== 'CLOSED' && phase.state !== 'HALF_OPEN') return;
    const { calls } = phase;
    this.#remember(calls, startedMs, this.#lastError, origin);
    if (phase.state === 'HALF_OPEN') {
      this.#toOpen({ reason: 'trial_failed', failures: 1, origin, calls });
      return;
    }
    phase.failures++;
    if (origin === 'injected') phase.injected++;
    const { failures, injected } = phase;
    if (failures < this.#options.failureThreshold) return;
    this.#toOpen({ reason: 'failure_threshold', failures, origin: originOfMany(injected, failures), calls });
  }

  #remember(
    calls: BreakerCall[],
    startedMs: number | null,
    error: string | null,
    origin: Origin | null,
  ): void {
    const { clock } = this.#options;
    const durationMs = startedMs === null ? null : Math.round(clock.monotonicMs() - startedMs);
    calls.push({ at: clock.now(), durationMs, error: error?.slice(0, ERROR_LENGTH) ?? null, origin });
    if (calls.length > CALLS_KEPT) calls.shift();
  }

  #toOpen(cause: Cause): void {
    const { clock, recoveryTimeoutMs } = this.#options;
    const dueMs = clock.monotonicMs() + recoveryTimeoutMs;
    const timer = clock.after(recoveryTimeoutMs, () => this.#toHalfOpen()); // cancelled on leaving OPEN
    this.#enter({ state: 'OPEN', dueMs, timer, failures: cause.failures }, cause);
  }

  #toHalfOpen(): void {
    const cause: Cause = { reason: 'recovery_timeout', failures: 0, origin: null };
    this.#enter({ state: 'HALF_OPEN', trials: 0, successes: 0, calls: [] }, cause);
  }

  #toClosed(reason: BreakerChangeReason, calls: readonly BreakerCall[] = []): void {
    const cause: Cause = { reason, failures: 0, origin: null, calls };
    this.#enter({ state: 'CLOSED', failures: 0, injected: 0, calls: [] }, cause);
  }

  #enter(next: Phase, { reason, failures, origin, calls = [] }: Cause): void {
    const { clock } = this.#options;
    const from = this.#phase;
    if (from.state === 'OPEN') from.timer.cancel();
    this.#phase = next;
    if (from.state === next.state) return; // closed by hand while closed: the count is forgotten, nothing to tell
    const monotonicMs = clock.monotonicMs();
    const spentMs = monotonicMs - this.#sinceMonotonicMs;
    this.#spentMs[from.state] += spentMs;
    this.#since = clock.now();
    this.#sinceMonotonicMs = monotonicMs;
    this.#transitions++;
    const change = { breaker: this.name, from: from.state, to: next.state, at: this.#since, spentMs };
    emitSafely<CircuitBreakerEvents, 'stateChanged'>(this, 'stateChanged', {
      ...change,
      reason,
      failures,
      origin,
      calls: [...calls],
    });
  }

  #leftMs(phase: { readonly dueMs: number }): number {
    return Math.max(0, phase.dueMs - this.#options.clock.monotonicMs());
  }
}
