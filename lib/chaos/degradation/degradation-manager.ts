import { EventEmitter } from 'node:events';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import { emitSafely } from '../emit.ts';
import { ChaosError } from '../errors.ts';
import type { ServiceName } from '../faults/fault.ts';
import { type Origin, type OriginOf, originByMark, originOfMany } from '../origin.ts';
import { type Feature, featuresOf, type Mode, oneRung, targetMode } from './mode.ts';

export interface DegradationOptions {
  /** From the start of one round to the start of the next, ms. @default 5000 */
  intervalMs: number;
  /** Deadline of each check, ms. @default 10 000 */
  checkTimeoutMs: number;
  /** Consecutive failed checks after which a service is down. @default 3 */
  failureThreshold: number;
  /** Consecutive good checks after which it is up again. @default 2 */
  recoveryThreshold: number;
  /** Factor on time-outs while DEGRADED or worse, ≥ 1. @default 2 */
  degradedTimeoutFactor: number;
  /** Origin of a failed check. @default by the mark of a fault in the error */
  originOf: (error: unknown, service: ServiceName) => Origin;
  /** @default systemClock */
  clock: Clock;
}

export const DEGRADATION_DEFAULTS: DegradationOptions = {
  intervalMs: 5000,
  checkTimeoutMs: 10_000,
  failureThreshold: 3,
  recoveryThreshold: 2,
  degradedTimeoutFactor: 2,
  originOf: originByMark satisfies OriginOf,
  clock: systemClock,
};

/** What the profile changes; spread it into the options. */
export const DEGRADATION_PROFILES = {
  production: {},
  'game-day': { intervalMs: 1000, checkTimeoutMs: 1000, failureThreshold: 2 },
  test: { intervalMs: 300, checkTimeoutMs: 750, failureThreshold: 2 },
} as const satisfies Record<string, Partial<DegradationOptions>>;

/** A service that holds the mode. */
export interface ModeCause {
  service: ServiceName;
  origin: Origin;
  text: string;
}

export interface DegradationEvents {
  /** `causes`: what is down; on the way up with nothing down any more, what came back. */
  modeChanged: [{ from: Mode; to: Mode; causes: ModeCause[]; at: number }];
  serviceChanged: [
    { service: ServiceName; healthy: boolean; error: string | null; origin: Origin | null; at: number },
  ];
}

/** Health of a service. Times epoch ms. */
export interface ServiceHealth {
  name: ServiceName;
  healthy: boolean;
  critical: boolean;
  consecutiveFailures: number;
  failureThreshold: number;
  since: number;
  checkedAt: number | null;
  latencyMs: number | null;
  error: string | null;
  origin: Origin | null;
}

export interface ModeStatus {
  mode: Mode;
  since: number;
  previous: Mode | null;
  causes: ModeCause[];
  features: Feature[];
}

export interface ServiceRegistration {
  readonly name: ServiceName;
  readonly critical: boolean;
  /**
   * Resolves when the service works, throws when it does not. Past its deadline `signal` aborts and the check counts
   * as failed, whatever it still does. Without it the service is fed by `updateServiceHealth` only.
   */
  readonly check?: (signal: AbortSignal) => Promise<void>;
  /** @default the manager's `checkTimeoutMs` */
  readonly timeoutMs?: number;
}

interface Service {
  readonly registration: ServiceRegistration;
  healthy: boolean;
  failures: number;
  injected: number;
  successes: number;
  since: number;
  checkedAt: number | null;
  latencyMs: number | null;
  error: string | null;
  /** Of the present or last outage. */
  origin: Origin | null;
}

/**
 * Decides how much of the system is offered, from what its services answer.
 *
 * Checks run in rounds, all at once; after each round the mode moves one rung towards its target, up or down, so that
 * every step is seen. `updateServiceHealth` is a round of one.
 */
export class DegradationManager extends EventEmitter<DegradationEvents> {
  readonly #options: DegradationOptions;
  readonly #services = new Map<ServiceName, Service>();
  #mode: Mode = 'NORMAL';
  #since: number;
  #previous: Mode | null = null;
  /** Came back since the mode was last NORMAL. */
  readonly #recovered = new Map<ServiceName, Origin>();
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #running: AbortController | undefined;

  constructor(options: Partial<DegradationOptions> = {}) {
    super();
    this.#options = { ...DEGRADATION_DEFAULTS, ...options };
    for (const name of ['failureThreshold', 'recoveryThreshold'] as const) {
      const value = this.#options[name];
      if (!(Number.isInteger(value) && value >= 1)) {
        throw new RangeError(`Expected ${name} to be a whole number from 1, got ${value}`);
      }
    }
    for (const name of ['intervalMs', 'checkTimeoutMs'] as const) {
      if (!(this.#options[name] > 0)) {
        throw new RangeError(`Expected ${name} to be above 0, got ${this.#options[name]}`);
      }
    }
    this.#since = this.#options.clock.now();
  }

  /** @throws {TypeError} when the name is taken */
  register(registration: ServiceRegistration): void {
    if (this.#services.has(registration.name)) {
      throw new TypeError(`Service ${registration.name} is registered already`);
    }
    this.#services.set(registration.name, {
      registration,
      healthy: true,
      failures: 0,
      injected: 0,
      successes: 0,
      since: this.#options.clock.now(),
      checkedAt: null,
      latencyMs: null,
      error: null,
      origin: null,
    });
  }

  get mode(): Mode {
    return this.#mode;
  }

  /** Where the mode is heading. */
  get target(): Mode {
    return targetMode(this.services());
  }

  /** Multiply the time-outs of calls by this: 1 in NORMAL, `degradedTimeoutFactor` otherwise. */
  get timeoutFactor(): number {
    return this.#mode === 'NORMAL' ? 1 : this.#options.degradedTimeoutFactor;
  }

  /** True for a service that is not registered: what nobody checks is not known to be down. */
  isUp(name: ServiceName): boolean {
    return this.#services.get(name)?.healthy ?? true;
  }

  has(feature: Feature): boolean {
    return this.features().includes(feature);
  }

  features(): Feature[] {
    return featuresOf(this.#mode, (name) => this.isUp(name));
  }

  /** Starts rounds, the first at once. */
  start(): void {
    if (this.#running) return;
    this.#running = new AbortController();
    this.#schedule(0, this.#running.signal);
  }

  /** Ends the rounds and waits for the one that runs; its checks are aborted and count neither way. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#running?.abort();
    this.#running = undefined;
    await this.#round;
  }

  /** One round: all checks at once, then one rung. A round that runs already is joined. */
  runRound(): Promise<void> {
    this.#round ??= this.#checkAll().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  /**
   * Tells the outcome of a check made elsewhere; then the mode moves one rung.
   * @throws {TypeError} for a service that is not registered
   */
  updateServiceHealth(name: ServiceName, healthy: boolean, error?: unknown): void {
    const service = this.#services.get(name);
    if (!service) throw new TypeError(`Service ${name} is not registered`);
    this.#record(service, healthy ? { ok: true } : { ok: false, error: error ?? `${name} is down` }, null);
    this.#step();
  }

  status(): ModeStatus {
    return {
      mode: this.#mode,
      since: this.#since,
      previous: this.#previous,
      causes: this.#causes(),
      features: this.features(),
    };
  }

  services(): ServiceHealth[] {
    return [...this.#services.values()].map((service) => ({
      name: service.registration.name,
      healthy: service.healthy,
      critical: service.registration.critical,
      consecutiveFailures: service.failures,
      failureThreshold: this.#options.failureThreshold,
      since: service.since,
      checkedAt: service.checkedAt,
      latencyMs: service.latencyMs,
      error: service.error,
      origin: service.healthy ? null : service.origin,
    }));
  }

  #schedule(delayMs: number, signal: AbortSignal): void {
    this.#timer = this.#options.clock.after(delayMs, () => {
      const startedMs = this.#options.clock.monotonicMs();
      void this.runRound().then(() => {
        if (signal.aborted) return;
        const spentMs = this.#options.clock.monotonicMs() - startedMs;
        this.#schedule(Math.max(0, this.#options.intervalMs - spentMs), signal);
      });
    });
  }

  async #checkAll(): Promise<void> {
    const stop = this.#running?.signal;
    await Promise.all([...this.#services.values()].map((service) => this.#check(service, stop)));
    if (!stop?.aborted) this.#step();
  }

  async #check(service: Service, stop: AbortSignal | undefined): Promise<void> {
    const { check, name, timeoutMs = this.#options.checkTimeoutMs } = service.registration;
    if (!check) return;
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const controller = new AbortController();
    const late = new ChaosError('DEADLINE_EXCEEDED', `Check of ${name} took longer than ${timeoutMs} ms`);
    const timer = clock.after(timeoutMs, () => controller.abort(late));
    const onStop = () => controller.abort();
    stop?.addEventListener('abort', onStop, { once: true });
    const ended = new Promise<never>((_, reject) => {
      controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true });
    });
    try {
      await Promise.race([check(controller.signal), ended]);
      if (!stop?.aborted) this.#record(service, { ok: true }, clock.monotonicMs() - startedMs);
    } catch (error) {
      const why = controller.signal.aborted ? controller.signal.reason : error;
      if (!stop?.aborted) this.#record(service, { ok: false, error: why }, clock.monotonicMs() - startedMs);
    } finally {
      timer.cancel();
      stop?.removeEventListener('abort', onStop);
    }
  }

  #record(
    service: Service,
    outcome: { ok: true } | { ok: false; error: unknown },
    latencyMs: number | null,
  ): void {
    service.checkedAt = this.#options.clock.now();
    service.latencyMs = latencyMs === null ? null : Math.round(latencyMs * 10) / 10;
    if (outcome.ok) this.#recordSuccess(service);
    else this.#recordFailure(service, outcome.error);
  }

  #recordSuccess(service: Service): void {
    service.failures = 0;
    service.injected = 0;
    service.successes++;
    if (service.healthy) {
      service.error = null;
      return;
    }
    if (service.successes < this.#options.recoveryThreshold) return;
    service.error = null;
    this.#recovered.set(service.registration.name, service.origin ?? 'organic');
    this.#turn(service, true);
  }

  #recordFailure(service: Service, error: unknown): void {
    const { name } = service.registration;
    service.successes = 0;
    service.failures++;
    if (this.#options.originOf(error, name) === 'injected') service.injected++;
    service.error = error instanceof Error ? error.message : String(error);
    if (!service.healthy || service.failures < this.#options.failureThreshold) return;
    service.origin = originOfMany(service.injected, service.failures);
    this.#turn(service, false);
  }

  #turn(service: Service, healthy: boolean): void {
    service.healthy = healthy;
    service.since = this.#options.clock.now();
    emitSafely<DegradationEvents, 'serviceChanged'>(this, 'serviceChanged', {
      service: service.registration.name,
      healthy,
      error: service.error,
      origin: service.origin,
      at: service.since,
    });
  }

  #step(): void {
    const from = this.#mode;
    const to = oneRung(from, this.target);
    if (to === from) return;
    this.#mode = to;
    this.#previous = from;
    this.#since = this.#options.clock.now();
    const down = this.#causes();
    const causes = down.length > 0 ? down : this.#comeBacks();
    if (to === 'NORMAL') this.#recovered.clear();
    emitSafely<DegradationEvents, 'modeChanged'>(this, 'modeChanged', { from, to, causes, at: this.#since });
  }

  #causes(): ModeCause[] {
    return [...this.#services.values()]
      .filter((service) => !service.healthy)
      .map((service) => ({
        service: service.registration.name,
        origin: service.origin ?? 'organic',
        text: service.error ?? `${service.registration.name} is down`,
      }));
  }

  #comeBacks(): ModeCause[] {
    return [...this.#recovered].map(([service, origin]) => ({
      service,
      origin,
      text: `${service} is up again`,
    }));
  }
}
