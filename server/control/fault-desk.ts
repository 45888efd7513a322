import { EventEmitter } from 'node:events';
import { ulid } from 'ulid';
import { type Clock, systemClock, type Timer } from '../../lib/chaos/clock.ts';
import { findFaultType } from '../../lib/chaos/faults/catalogue.ts';
import {
  type FaultActivity,
  type FaultEndReason,
  type InjectorName,
  PROXIED_SERVICES,
  SERVICE_NAMES,
} from '../../lib/chaos/faults/fault.ts';
import type { ActiveFault } from '../../lib/protocol/events.ts';
import type {
  ChangeFault,
  Fault,
  FaultReceipt,
  HaltReceipt,
  Owner,
  StartPreset,
} from '../../lib/protocol/faults.ts';
import type { Logger } from '../logging.ts';
import { elapsedMs } from './elapsed.ts';
import type { FactLog } from './fact-log.ts';
import { FaultArming } from './fault-arming.ts';
import { FaultChanges } from './fault-changes.ts';
import { FaultEndings } from './fault-endings.ts';
import {
  alreadyActive,
  haltedBy,
  stopping,
  tooManyServices,
  unavailable,
  unknownFault,
} from './fault-refusals.ts';
import { FaultSeeds } from './fault-seeds.ts';
import { HeldFault, type PlannedFault } from './held-fault.ts';
import { HeldFaults } from './held-faults.ts';
import type { InjectorLink } from './injector-link.ts';
import type { Halted, Intent } from './journal.ts';
import { findPreset, planFault, planPreset } from './plan-fault.ts';
import { Refusal } from './problem.ts';

export interface FaultDeskOptions {
  link: InjectorLink;
  log: Pick<FactLog, 'tell' | 'arming' | 'notArmed' | 'halting' | 'sync'>;
  logger: Logger;
  /** What is still recovering, for receipts. */
  remaining: () => string[];
  /** @default systemClock */
  clock?: Clock;
  /** How long after a TTL the desk waits for the injector's own word, ms. @default 1500 */
  expiryGraceMs?: number;
  /** How long an injector may be away before its faults are given up, ms; above its 3 s of silence. @default 5000 */
  injectorLostMs?: number;
  /** How long an ended fault stays in the list by which failures are attributed, ms. @default 20 000 */
  recentMs?: number;
  /** Most services that may be broken at once; a network fault counts for each service it reaches. @default all */
  maxServices?: number;
  /** The seed of the run, and of the faults that were given none. @default drawn at random */
  seeds?: FaultSeeds;
}

export interface FaultDeskEvents {
  /** The list of active faults is another one. */
  changed: [];
  /** Calls that a fault has disturbed since it was last told. */
  hits: [{ service: string; type: string; kind: string; count: number }];
}

/** Who speaks in facts that nobody asked for. */
const SYSTEM = 'Brownout';

/** How long the injector's own word about an end may take once it is connected, ms. */
const WORD_OF_END_MS = 2000;

/**
 * Starts, changes and ends faults, and knows which are in force.
 *
 *     command ──► plan ──► journal (on disk) ──► arm ──ack──► fact
 *                                                  └─ none in 1 s ──► roll back, 503
 *
 * The desk never decides how long a fault lives: the injector does, by itself. What is kept here is a mirror that is
 * corrected by the injector's word.
 */
export class FaultDesk extends EventEmitter<FaultDeskEvents> {
  readonly #options: Required<FaultDeskOptions>;
  readonly #held: HeldFaults;
  readonly #endings: FaultEndings;
  readonly #arming: FaultArming;
  readonly #changes: FaultChanges;
  readonly #timers = new Set<Timer>();
  /** Injectors whose link is gone, until their faults are given up. */
  readonly #departures = new Map<InjectorName, Timer>();
  #halted: Halted | null = null;
  #closing = false;

  constructor(options: FaultDeskOptions) {
    super();
    this.#options = {
      clock: systemClock,
      expiryGraceMs: 1500,
      injectorLostMs: 5000,
      recentMs: 20_000,
      maxServices: SERVICE_NAMES.length,
      seeds: new FaultSeeds(),
      ...options,
    };
    const { clock, link, log, logger, remaining, recentMs } = this.#options;
    this.#held = new HeldFaults(clock, recentMs);
    this.#endings = new FaultEndings({
      faults: this.#held,
      link,
      log,
      logger,
      clock,
      remaining,
      observe: (held, activity) => this.#observe(held, activity),
      onChanged: () => this.emit('changed'),
    });
    this.#arming = new FaultArming({
      faults: this.#held,
      endings: this.#endings,
      link,
      log,
      logger,
      clock,
      stop: () => this.#stop(),
      onChanged: () => this.emit('changed'),
    });
    this.#changes = new FaultChanges({
      link,
      log,
      logger,
      clock,
      watchExpiry: (held) => this.#watchExpiry(held),
      onChanged: () => this.emit('changed'),
    });
  }

  get halted(): Halted | null {
    return this.#halted;
  }

  /** Takes over what the last run left: a latch that still holds, and faults that its crash ended. */
  recover(open: readonly Intent[], halted: Halted | null): void {
    this.#halted = halted;
    for (const { id, service, type } of open) {
      this.#options.log.tell('faultEnded', service, {
        faultId: id,
        service,
        faultType: type,
        title: findFaultType(type)?.title,
        reason: 'control_crashed',
        hits: 0,
        by: SYSTEM,
        receipt: null,
      });
    }
  }

  /** Observed faults, oldest first; one being armed is not yet among them. */
  faults(): Fault[] {
    return this.#held.shown();
  }

  /** What every agent must know to tell injected from organic failures: also those being armed, and just ended. */
  activeFaults(): ActiveFault[] {
    return this.#held.active();
  }

  async start(request: unknown, owner: Owner): Promise<Fault> {
    const [fault] = await this.#startAll([planFault(request, this.#options.seeds)], owner, undefined);
    if (!fault) throw new TypeError('A start without a fault');
    return fault;
  }

  /** Starts all faults of a preset, or none. */
  startPreset({ name, ttlMs }: StartPreset, owner: Owner): Promise<Fault[]> {
    const preset = findPreset(name);
    return this.#startAll(planPreset(preset, ttlMs, this.#options.seeds), owner, preset.name);
  }

  /**
   * Changes strength, modifiers, lease or owner.
   * @throws {Refusal} FAULT_NOT_FOUND, STALE_VERSION, INVALID_INPUT, INJECTOR_UNAVAILABLE
   */
  change(id: string, change: ChangeFault, version: number | undefined, by: Owner): Promise<Fault> {
    const held = this.#held.get(id);
    if (!held) return Promise.reject(unknownFault(id));
    const changing = held.changing
      .catch(() => {})
      .then(() => this.#changes.change(held, change, version, by));
    held.changing = changing;
    return changing;
  }

  /** @throws {Refusal} FAULT_NOT_FOUND */
  async stop(id: string, by: string): Promise<FaultReceipt> {
    return this.end(id, 'stopped', by);
  }

  /** @throws {Refusal} FAULT_NOT_FOUND */
  async end(id: string, reason: FaultEndReason, by: string): Promise<FaultReceipt> {
    const held = this.#held.find(id);
    if (!held) throw unknownFault(id);
    return this.#end(held, reason, by);
  }

  /** Ends everything at once and refuses new faults until `resume`. Works with injectors missing. */
  async halt(by: string, reason: string): Promise<HaltReceipt> {
    const { clock, log, logger } = this.#options;
    const startedMs = clock.monotonicMs();
    const at = clock.now();
    const first = this.#halted === null;
    this.#halted ??= { at, by, reason };
    if (first) log.halting(this.#halted);
    log.sync().catch((error: unknown) => logger.error({ err: error }, 'the halt is not on the disk'));
    const ended = await Promise.all(this.#held.all().map((held) => this.#haltOne(held, by)));
    const faults = ended.filter((receipt) => receipt !== undefined);
    const receipt: HaltReceipt = {
      at,
      by,
      reason,
      faults,
      unacknowledged: [...new Set(faults.filter((each) => !each.acknowledged).map((each) => each.injector))],
      tookMs: elapsedMs(clock, startedMs),
    };
    if (first || faults.length > 0) log.tell('halted', 'everything', { by, reason, receipt });
    logger.info({ command: 'halt', by, reason, tookMs: receipt.tookMs }, 'command');
    this.emit('changed');
    return receipt;
  }

  /** @throws {Refusal} NOT_HALTED */
  resume(by: string, reason: string): void {
    if (!this.#halted) throw new Refusal('NOT_HALTED', 'Nothing is halted');
    this.#halted = null;
    this.#options.log.tell('resumed', 'everything', { by, reason });
    this.emit('changed');
  }

  /** What an injector counted. Gives true when that changes what is shown. */
  observe(activity: readonly FaultActivity[]): boolean {
    let changed = false;
    for (const each of activity) {
      const held = this.#held.get(each.id);
      if (held && this.#observe(held, each)) changed = true;
    }
    return changed;
  }

  /** An injector ended a fault by itself. */
  endedByInjector(id: string, reason: FaultEndReason, activity: FaultActivity): void {
    const held = this.#held.get(id);
    if (!held) return;
    this.#observe(held, activity);
    if (held.phase.name === 'on') this.#finish(held, reason, this.#endings.receipt(held, reason, true, 0));
    else this.#overBefore(held);
  }

  /** An injector has (re)connected and says which faults it holds. */
  agentArrived(name: InjectorName, instanceId: string, holds: readonly string[]): void {
    this.#departures.get(name)?.cancel();
    this.#departures.delete(name);
    for (const id of holds) {
      if (!this.#held.get(id)) this.#orderEnd(name, id, 'control_lost');
    }
    for (const held of this.#held.of(name)) {
      if (held.instanceId !== instanceId) this.#lose(held);
      else if (holds.includes(held.id)) {
        if (held.phase.name === 'lingering') void this.#endings.retry(held);
      } else if (held.phase.name === 'on') {
        // It ended by silence; its word about that is on the way and says more than we know.
        this.#later(WORD_OF_END_MS, () => {
          if (held.phase.name !== 'on') return;
          this.#finish(held, 'control_lost', this.#endings.receipt(held, 'control_lost', true, 0));
        });
      } else this.#overBefore(held);
    }
  }

  /** An injector's link is gone; its faults end by silence after 3 s, or ended with its process. */
  agentLeft(name: InjectorName): void {
    this.#departures.get(name)?.cancel();
    const timer = this.#later(this.#options.injectorLostMs, () => {
      for (const held of this.#held.of(name)) this.#lose(held);
    });
    this.#departures.set(name, timer);
  }

  /** Ends everything, as part of an orderly stop of the control process. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#held.all().map((held) => this.#haltOne(held, SYSTEM, 'stopped')));
    this.#endings.close();
    for (const timer of this.#timers) timer.cancel();
    for (const held of this.#held.all()) held.expiry?.cancel();
  }

  #startAll(plans: readonly PlannedFault[], owner: Owner, preset: string | undefined): Promise<Fault[]> {
    const { clock, link } = this.#options;
    const refusal = this.#refusalOf(plans);
    if (refusal) return Promise.reject(refusal);
    const all = plans.map((plan) => {
      const instanceId = link.instanceOf(plan.injector);
      return new HeldFault(clock, { id: ulid(), plan, preset, instanceId, owner });
    });
    for (const held of all) this.#held.add(held);
    const started = this.#arm(all);
    for (const held of all) held.settled = started.catch(() => {});
    return started;
  }

  #refusalOf(plans: readonly PlannedFault[]): Refusal | undefined {
    const { link, maxServices } = this.#options;
    if (this.#closing) return stopping();
    if (this.#halted) return haltedBy(this.#halted);
    const present = this.#held.present();
    const twin = present.find((held) =>
      plans.some((plan) => held.service === plan.service && held.type === plan.type.type),
    );
    if (twin) return alreadyActive(twin);
    const reached = (some: readonly PlannedFault[]) => [...new Set(some.flatMap(servicesReached))];
    const now = reached(present.map((held) => held.plan));
    if (new Set([...now, ...reached(plans)]).size > maxServices) return tooManyServices(maxServices, now);
    const away = plans.map((plan) => plan.injector).filter((name) => link.instanceOf(name) === undefined);
    return away.length > 0 ? unavailable(away, 'is not connected') : undefined;
  }

  async #arm(all: readonly HeldFault[]): Promise<Fault[]> {
    await this.#arming.arm(all);
    for (const held of all) {
      held.phase = { name: 'on' };
      this.#options.seeds.started(held.service, held.type);
      this.#watchExpiry(held);
      this.#options.log.tell('faultStarted', held.service, { fault: held.toFault() });
    }
    this.emit('changed');
    return all.map((held) => held.toFault());
  }

  /** Why nothing may be armed any more. */
  #stop(): Refusal | undefined {
    if (this.#halted) return haltedBy(this.#halted);
    return this.#closing ? stopping() : undefined;
  }

  #end(held: HeldFault, reason: FaultEndReason, by: string): Promise<FaultReceipt> {
    if (held.phase.name === 'ending') return held.phase.receipt;
    if (held.phase.name === 'lingering') return this.#endings.retry(held);
    const receipt = this.#endings.release(held, reason).then((released) => {
      this.#finish(held, reason, released, by);
      return released;
    });
    held.phase = { name: 'ending', receipt };
    return receipt;
  }

  /** The fault is over, or as far as it can be told to be: says so once. */
  #finish(held: HeldFault, reason: FaultEndReason, receipt: FaultReceipt | null, by = SYSTEM): void {
    held.expiry?.cancel();
    if (receipt && !receipt.acknowledged && !held.endedEarly) this.#endings.linger(held, receipt, true);
    else this.#held.forget(held);
    this.#options.log.tell('faultEnded', held.service, {
      faultId: held.id,
      service: held.service,
      faultType: held.type,
      title: held.plan.type.title,
      reason,
      hits: held.hits,
      by,
      receipt,
    });
    this.emit('changed');
  }

  /** The process in which it acted is gone, or has ended it by silence. */
  #lose(held: HeldFault): void {
    if (held.phase.name === 'on') this.#finish(held, 'injector_lost', null);
    else this.#overBefore(held);
  }

  /** It is over where it acts, while it is still being armed here, or is being ended. */
  #overBefore(held: HeldFault): void {
    held.endedEarly = true;
    this.#endings.confirm(held);
  }

  async #haltOne(
    held: HeldFault,
    by: string,
    reason: FaultEndReason = 'halted',
  ): Promise<FaultReceipt | undefined> {
    if (held.phase.name !== 'arming') return this.#end(held, reason, by);
    // What may be on its way is followed by its end; what is not will not be sent.
    held.released = this.#endings.release(held, reason);
    await held.settled;
    return held.lastReceipt;
  }

  #observe(held: HeldFault, activity: FaultActivity): boolean {
    return held.observe(activity, (kind, count) => {
      this.emit('hits', { service: held.service, type: held.type, kind, count });
    });
  }

  #watchExpiry(held: HeldFault): void {
    held.expiry?.cancel();
    held.expiry = this.#options.clock.after(held.leftMs + this.#options.expiryGraceMs, () => {
      if (held.phase.name === 'on') void this.#end(held, 'expired', SYSTEM);
    });
  }

  #orderEnd(name: InjectorName, id: string, reason: FaultEndReason): void {
    this.#options.link.end(name, id, reason).catch((error: unknown) => {
      this.#options.logger.warn({ err: error, injector: name, fault: id }, 'an unknown fault was not ended');
    });
  }

  #later(delayMs: number, work: () => void): Timer {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      work();
    });
    this.#timers.add(timer);
    return timer;
  }
}

/** A network fault that names no service reaches all of them. */
function servicesReached({ service, params }: PlannedFault): readonly string[] {
  if (service !== 'network') return [service];
  const named = params['services'];
  return Array.isArray(named) && named.length > 0 ? named.map(String) : PROXIED_SERVICES;
}
