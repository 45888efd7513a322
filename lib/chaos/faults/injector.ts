import { EventEmitter } from 'node:events';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import { emitSafely } from '../emit.ts';
import { ChaosError } from '../errors.ts';
import { drawFor } from '../random.ts';
import type { FaultActivity, FaultEndReason, FaultMatch, FaultSpec, ServiceName } from './fault.ts';
import { delayShareOf, isDormant, nextTurnMs, strengthOf, thresholdOf } from './modifiers.ts';

/** A call as an injector sees it. */
export interface CallInfo {
  /** What the hit is counted under: an HTTP route, a command, a SQL verb, a kernel. */
  readonly kind: string;
  readonly route?: string;
  readonly command?: string;
  readonly sql?: string;
  readonly file?: string;
  /** A transaction is open in which this SQL statement would run. */
  readonly inTransaction?: boolean;
  /** The channels of a pub/sub command. */
  readonly channels?: readonly string[] | undefined;
  /** Health checks are numbered apart, so that their rhythm does not shift the verdicts of the work. */
  readonly healthCheck?: boolean;
}

/** The fault that hits a call, and a draw of its own (0–1) for jitter and the like. */
export interface Verdict {
  readonly fault: FaultSpec;
  readonly draw: number;
  /** Share of the fault's delay that is in force, 0–1: below 1 while a ramp runs. */
  readonly delayShare: number;
}

/**
 * What makes a fault happen where it acts. All three must be in force when they return or resolve. A fault that
 * pulses is armed and ended again at each turn.
 */
export interface FaultEffect {
  arm(fault: FaultSpec): void | Promise<void>;
  change(fault: FaultSpec, previous: FaultSpec): void | Promise<void>;
  /** Must leave calls clean: whatever is made right after it resolved is undisturbed. */
  end(fault: FaultSpec, reason: FaultEndReason): void | Promise<void>;
}

export interface FaultInjectorOptions {
  /** @default systemClock */
  clock: Clock;
  /** Silence of the control process after which every fault is ended, ms. @default 3000 */
  silenceMs: number;
  /** Longest lease that is accepted, ms. @default 900 000 */
  maxTtlMs: number;
  /** What happens on arm, change and end, beside answering `decide`. @default nothing */
  effect: FaultEffect;
}

export const FAULT_INJECTOR_DEFAULTS: FaultInjectorOptions = {
  clock: systemClock,
  silenceMs: 3000,
  maxTtlMs: 900_000,
  effect: { arm: () => {}, change: () => {}, end: () => {} },
};

export interface FaultInjectorEvents {
  armed: [{ fault: FaultSpec; at: number }];
  ended: [{ fault: FaultSpec; at: number; reason: FaultEndReason; activity: FaultActivity }];
  effectFailed: [{ fault: FaultSpec; at: number; error: unknown }];
}

interface Armed {
  spec: FaultSpec;
  expiry: Timer;
  /** Monotonic end of the lease; holds even when a busy loop delays the timer. */
  dueMs: number;
  /** Arming, changing and ending of one fault never overlap: each waits for the one before. */
  work: Promise<void> | undefined;
  /** Monotonic start, from which pulse and ramp are counted. */
  startedMs: number;
  /** The next turn of its pulse, or the end of its ramp. */
  turn: Timer | undefined;
  /** Between two turns of its pulse. */
  dormant: boolean;
  /** Its effect has been asked for and not been taken away. */
  inForce: boolean;
  /** Its end has begun: it decides nothing any more, and stays listed only until its effect is gone. */
  over: boolean;
  /** The end under way; whoever else ends it gets the same promise. */
  ending: Promise<FaultActivity> | undefined;
  calls: number;
  healthCalls: number;
  hits: number;
  hitsByKind: Map<string, number>;
  warning: string | undefined;
}

/** Kinds beyond this many are counted together as "other", so that hostile text cannot grow the map. */
const MAX_KINDS = 64;
/** Characters of a kind that are kept. */
const MAX_KIND_CHARS = 128;

/** By how much timers may fire early, ms. */
const EARLY_MS = 0.5;

/** Wait before an end that failed is tried again, ms. */
const END_AGAIN_MS = 1000;

/**
 * Holds the faults of one process and ends them by itself.
 *
 * A fault is over when its TTL has run on the monotonic clock, when it is ended, or when `heartbeat` was not called
 * for `silenceMs` or was called for another run. Nothing that happens elsewhere can make it last longer.
 */
export class FaultInjector extends EventEmitter<FaultInjectorEvents> {
  readonly #options: FaultInjectorOptions;
  readonly #armed = new Map<string, Armed>();
  #byService = new Map<ServiceName, Armed[]>();
  #runId: string | undefined;
  #silence: Timer | undefined;

  constructor(options: Partial<FaultInjectorOptions> = {}) {
    super();
    this.#options = { ...FAULT_INJECTOR_DEFAULTS, ...options };
    const { silenceMs, maxTtlMs } = this.#options;
    if (!(silenceMs > 0)) throw new RangeError(`Expected silenceMs to be above 0, got ${silenceMs}`);
    if (!(maxTtlMs > 0)) throw new RangeError(`Expected maxTtlMs to be above 0, got ${maxTtlMs}`);
  }

  /**
   * Arms a fault; resolves once its effect is in force.
   * @throws {ChaosError} FAULT_EXISTS when this id is armed or still ending, INVALID_FAULT for a TTL out of range,
   * FAULT_NOT_FOUND when it was ended before it was in force
   * @throws whatever the effect throws; the fault is then not armed
   */
  async arm(spec: FaultSpec): Promise<void> {
    if (this.#armed.has(spec.id)) throw new ChaosError('FAULT_EXISTS', `Fault ${spec.id} is already armed`);
    this.#checkTtl(spec);
    const armed: Armed = {
      spec,
      ...this.#lease(spec.id, spec.ttlMs),
      startedMs: this.#options.clock.monotonicMs(),
      turn: undefined,
      dormant: false,
      inForce: true,
      work: undefined,
      over: false,
      ending: undefined,
      calls: 0,
      healthCalls: 0,
      hits: 0,
      hitsByKind: new Map(),
      warning: undefined,
    };
    this.#armed.set(spec.id, armed);
    this.#index();
    await this.#inTurn(armed, async () => {
      try {
        await this.#options.effect.arm(spec);
      } catch (error) {
        this.#remove(armed);
        throw error;
      }
    });
    if (armed.over) throw new ChaosError('FAULT_NOT_FOUND', `Fault ${spec.id} was ended while it was armed`);
    this.#awaitTurn(armed);
    this.#tell('armed', { fault: spec, at: this.#options.clock.now() });
  }

  /**
   * Replaces strength or lease of an armed fault. Counting goes on; an older or equal version is ignored.
   * @throws {ChaosError} FAULT_NOT_FOUND, or INVALID_FAULT for a TTL out of range or another service or type
   * @throws whatever the effect throws; strength and lease are then as before
   */
  async change(spec: FaultSpec): Promise<void> {
    const armed = this.#find(spec.id);
    const previous = armed.spec;
    if (spec.version <= previous.version) return;
    if (spec.service !== previous.service || spec.type !== previous.type) {
      throw new ChaosError('INVALID_FAULT', `Fault ${spec.id} is ${previous.type} on ${previous.service}`);
    }
    this.#checkTtl(spec);
    const { clock } = this.#options;
    const previousDueMs = armed.dueMs;
    armed.spec = spec;
    armed.dormant = isDormant(spec, this.#elapsedMs(armed)); // its turns may be other ones now
    this.#renew(armed, spec.ttlMs);
    try {
      await this.#inTurn(armed, () => this.#follow(armed, spec, previous));
      this.#awaitTurn(armed);
    } catch (error) {
      if (armed.spec === spec && !armed.over) {
        armed.spec = previous;
        armed.dormant = isDormant(previous, this.#elapsedMs(armed));
        this.#renew(armed, Math.max(0, previousDueMs - clock.monotonicMs()));
      }
      throw error;
    }
  }

  /**
   * Ends a fault; resolves once calls are clean. Ending an unknown id gives undefined.
   *
   * An effect whose end fails is reported by `effectFailed` and thrown; the fault stays listed, so that nobody
   * believes it gone, and its end is tried again until it succeeds.
   */
  async end(id: string, reason: FaultEndReason): Promise<FaultActivity | undefined> {
    const armed = this.#armed.get(id);
    if (!armed) return undefined;
    armed.ending ??= this.#end(armed, reason);
    return armed.ending;
  }

  async endAll(reason: FaultEndReason): Promise<void> {
    await Promise.allSettled([...this.#armed.keys()].map((id) => this.end(id, reason)));
  }

  /** Says that the control process of `runId` is alive. Another run than before ends every fault. */
  heartbeat(runId: string): void {
    if (this.#runId !== undefined && this.#runId !== runId) this.#abandon();
    this.#runId = runId;
    this.#silence?.cancel();
    this.#silence = this.#options.clock.after(this.#options.silenceMs, () => this.#abandon());
  }

  /**
   * Decides whether this call is hit, and by which of the given types (all when none is given); the first fault
   * armed that says yes wins. Every matching fault counts the call, so that a neighbour does not shift its verdicts.
   *
   * `spent`: something else has hit the call already; it is only counted.
   */
  decide(
    service: ServiceName,
    call: CallInfo,
    types?: readonly string[],
    spent = false,
  ): Verdict | undefined {
    const candidates = this.#byService.get(service);
    if (candidates === undefined) return undefined;
    let verdict: Verdict | undefined;
    const nowMs = this.#options.clock.monotonicMs();
    for (const armed of candidates) {
      const { spec } = armed;
      if (nowMs >= armed.dueMs) continue;
      if (types && !types.includes(spec.type)) continue;
      if (spec.match && !matches(spec.match, call)) continue;
      const elapsedMs = nowMs - armed.startedMs;
      if (isDormant(spec, elapsedMs)) continue;
      const n = call.healthCheck ? armed.healthCalls++ : armed.calls++;
      const lane = call.healthCheck ? `${service}/health` : service;
      if (spent || verdict || drawFor(spec.seed, spec.type, lane, n) >= thresholdOf(spec, n, elapsedMs)) {
        continue;
      }
      countHit(armed, call.kind);
      verdict = {
        fault: spec,
        draw: drawFor(spec.seed ^ 0x5bd1e995, spec.type, lane, n),
        delayShare: delayShareOf(spec, elapsedMs),
      };
    }
    return verdict;
  }

  /** Faults acting on a service, oldest first. One between two turns of its pulse is not listed. */
  active(service: ServiceName): readonly FaultSpec[] {
    const acting = this.#byService.get(service)?.filter((armed) => !armed.dormant);
    return acting?.map((armed) => armed.spec) ?? [];
  }

  /** Whether an armed fault hits every call that it matches, so that it may act before a call is known. */
  hitsAll({ id }: FaultSpec): boolean {
    const armed = this.#armed.get(id);
    if (!armed || armed.spec.ratio < 1 || armed.spec.failFirst !== undefined) return false;
    return strengthOf(armed.spec, this.#elapsedMs(armed)) >= 1;
  }

  all(): readonly FaultSpec[] {
    return [...this.#armed.values()].map((armed) => armed.spec);
  }

  /** Counts a hit that was not decided by `decide`: a connection reset when the fault came, a process killed. */
  recordHit(id: string, kind: string): void {
    const armed = this.#armed.get(id);
    if (armed) countHit(armed, kind);
  }

  /** Sets the limitation shown beside the fault, for example "encrypted bytes: acting on TCP only". */
  warn(id: string, warning: string): void {
    const armed = this.#armed.get(id);
    if (armed) armed.warning = warning;
  }

  activity(): FaultActivity[] {
    return [...this.#armed.values()].map(activityOf);
  }

  /** Ends everything and stops listening for heartbeats. */
  async close(): Promise<void> {
    this.#silence?.cancel();
    await this.endAll('injector_lost');
  }

  #abandon(): void {
    this.#silence?.cancel();
    void this.endAll('control_lost');
  }

  async #end(armed: Armed, reason: FaultEndReason): Promise<FaultActivity> {
    const { clock, effect } = this.#options;
    armed.expiry.cancel();
    armed.turn?.cancel();
    armed.over = true;
    this.#index();
    try {
      await this.#inTurn(armed, () => {
        // A fault whose arming failed meanwhile has nothing to end.
        if (this.#armed.get(armed.spec.id) === armed && armed.inForce) return effect.end(armed.spec, reason);
      });
    } catch (error) {
      armed.ending = undefined;
      armed.expiry = clock.after(END_AGAIN_MS, () => {
        this.end(armed.spec.id, reason).catch(() => {}); // told by `effectFailed`
      });
      this.#tell('effectFailed', { fault: armed.spec, at: clock.now(), error });
      throw error;
    }
    const activity = activityOf(armed);
    if (this.#armed.get(armed.spec.id) !== armed) return activity;
    this.#remove(armed);
    this.#tell('ended', { fault: armed.spec, at: clock.now(), reason, activity });
    return activity;
  }

  /** A turn is taken as reached when its timer fires a little early. */
  #elapsedMs(armed: Armed): number {
    return this.#options.clock.monotonicMs() + EARLY_MS - armed.startedMs;
  }

  #awaitTurn(armed: Armed): void {
    armed.turn?.cancel();
    if (armed.over) return;
    const inMs = nextTurnMs(armed.spec, this.#elapsedMs(armed));
    if (inMs === undefined) return;
    armed.turn = this.#options.clock.after(inMs + EARLY_MS, () => {
      void this.#turn(armed);
    });
  }

  /** The fault begins or stops acting, or has reached its full strength. */
  async #turn(armed: Armed): Promise<void> {
    this.#awaitTurn(armed);
    armed.dormant = isDormant(armed.spec, this.#elapsedMs(armed));
    try {
      await this.#inTurn(armed, () => this.#follow(armed, armed.spec, { ...armed.spec, ratio: 0 }));
    } catch (error) {
      this.#tell('effectFailed', { fault: armed.spec, at: this.#options.clock.now(), error });
    }
  }

  /** Takes the effect from `previous` to `spec`, as the turn wants it that the fault is in by now. */
  async #follow(armed: Armed, spec: FaultSpec, previous: FaultSpec): Promise<void> {
    const { effect } = this.#options;
    const { dormant } = armed;
    if (armed.over) return;
    if (dormant === armed.inForce) {
      armed.inForce = true; // also when it fails: its end is then tried again
      if (dormant) await effect.end(previous, 'stopped');
      else await effect.arm(spec);
      armed.inForce = !dormant;
    } else if (!dormant) {
      await effect.change(spec, previous);
    }
  }

  /** Runs `work` after what is under way for this fault, at once when nothing is. */
  #inTurn(armed: Armed, work: () => void | Promise<void>): Promise<void> {
    const run = async () => work();
    const next = armed.work === undefined ? run() : armed.work.then(run);
    const settled = next
      .catch(() => {})
      .then(() => {
        if (armed.work === settled) armed.work = undefined;
      });
    armed.work = settled;
    return next;
  }

  #find(id: string): Armed {
    const armed = this.#armed.get(id);
    if (!armed || armed.over) throw new ChaosError('FAULT_NOT_FOUND', `Fault ${id} is not armed here`);
    return armed;
  }

  #remove(armed: Armed): void {
    armed.expiry.cancel();
    armed.turn?.cancel();
    if (this.#armed.get(armed.spec.id) !== armed) return;
    this.#armed.delete(armed.spec.id);
    this.#index();
  }

  #checkTtl({ ttlMs }: FaultSpec): void {
    const { maxTtlMs } = this.#options;
    if (ttlMs > 0 && ttlMs <= maxTtlMs) return;
    throw new ChaosError(
      'INVALID_FAULT',
      `Expected ttlMs to be above 0 and at most ${maxTtlMs}, got ${ttlMs}`,
    );
  }

  #lease(id: string, ttlMs: number): { expiry: Timer; dueMs: number } {
    const { clock } = this.#options;
    const dueMs = clock.monotonicMs() + ttlMs;
    const expiry = clock.after(ttlMs, () => {
      this.end(id, 'expired').catch(() => {}); // told by `effectFailed`
    });
    return { expiry, dueMs };
  }

  #renew(armed: Armed, ttlMs: number): void {
    armed.expiry.cancel();
    Object.assign(armed, this.#lease(armed.spec.id, ttlMs));
  }

  #tell<Name extends keyof FaultInjectorEvents>(name: Name, payload: FaultInjectorEvents[Name][0]): void {
    emitSafely<FaultInjectorEvents, Name>(this, name, payload);
  }

  #index(): void {
    this.#byService = new Map();
    for (const armed of this.#armed.values()) {
      if (armed.over) continue;
      const list = this.#byService.get(armed.spec.service);
      if (list) list.push(armed);
      else this.#byService.set(armed.spec.service, [armed]);
    }
  }
}

function countHit(armed: Armed, kind: string): void {
  armed.hits++;
  const short = kind.length > MAX_KIND_CHARS ? `${kind.slice(0, MAX_KIND_CHARS)}…` : kind;
  const key = armed.hitsByKind.has(short) || armed.hitsByKind.size < MAX_KINDS ? short : 'other';
  armed.hitsByKind.set(key, (armed.hitsByKind.get(key) ?? 0) + 1);
}

function matches(match: FaultMatch, call: CallInfo): boolean {
  return (
    contains(call.route, match.route) &&
    contains(call.command, match.command) &&
    contains(call.sql, match.sql) &&
    contains(call.file, match.file)
  );
}

function contains(text: string | undefined, part: string | undefined): boolean {
  if (part === undefined) return true;
  return text?.toLowerCase().includes(part.toLowerCase()) ?? false;
}

function activityOf(armed: Armed): FaultActivity {
  return {
    id: armed.spec.id,
    hits: armed.hits,
    hitsByKind: Object.fromEntries(armed.hitsByKind),
    seen: armed.calls + armed.healthCalls,
    warning: armed.warning,
  };
}
