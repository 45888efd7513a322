import { EventEmitter } from 'node:events';
import { ulid } from 'ulid';
import { type Clock, systemClock, type Timer } from '../../lib/chaos/clock.ts';
import type { FaultActivity, FaultEndReason, FaultSpec, InjectorName } from '../../lib/chaos/faults/fault.ts';
import type { ActiveFault, AgentAnswer } from '../../lib/protocol/events.ts';
import type {
  ChangeFault,
  Fault,
  FaultReceipt,
  HaltReceipt,
  Owner,
  StartPreset,
} from '../../lib/protocol/faults.ts';
import type { Logger } from '../logging.ts';
import type { FactLog } from './fact-log.ts';
import { HeldFault, type PlannedFault } from './held-fault.ts';
import type { Halted, Intent } from './journal.ts';
import {
  type ChangedPlan,
  changesStrength,
  findPreset,
  planChange,
  planFault,
  planPreset,
} from './plan-fault.ts';
import { Refusal } from './problem.ts';

/** The way to the injectors. Each call rejects when it is not acknowledged within its time-out. */
export interface InjectorLink {
  /** Id of the process behind this name now; undefined while it is not connected. */
  instanceOf(name: InjectorName): string | undefined;
  arm(name: InjectorName, spec: FaultSpec): Promise<AgentAnswer<{ armedInMs: number }>>;
  change(name: InjectorName, spec: FaultSpec): Promise<AgentAnswer<Record<string, never>>>;
  end(
    name: InjectorName,
    id: string,
    reason: FaultEndReason,
  ): Promise<AgentAnswer<{ activity: FaultActivity | null }>>;
}

export interface FaultDeskOptions {
  link: InjectorLink;
  log: FactLog;
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
}

export interface FaultDeskEvents {
  /** The list of active faults is another one. */
  changed: [];
  /** Calls that a fault has disturbed since it was last told. */
  hits: [{ service: string; type: string; kind: string; count: number }];
}

/** Who speaks in facts that nobody asked for. */
const SYSTEM = 'Brownout';

const RETRY_END_MS = 2000;
/** After its TTL the injector's own clock has ended it; no later than this we stop asking. */
const LINGER_BEYOND_TTL_MS = 4000;
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
  readonly #held = new Map<string, HeldFault>();
  readonly #timers = new Set<Timer>();
  #recent: { fault: ActiveFault; untilMs: number }[] = [];
  #halted: Halted | null = null;

  constructor(options: FaultDeskOptions) {
    super();
    this.#options = {
      clock: systemClock,
      expiryGraceMs: 1500,
      injectorLostMs: 5000,
      recentMs: 20_000,
      ...options,
    };
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
        reason: 'control_crashed',
        hits: 0,
        by: SYSTEM,
        receipt: null,
      });
    }
  }

  /** Observed faults, oldest first; one being armed is not yet among them. */
  faults(): Fault[] {
    return [...this.#held.values()].filter(isShown).map((held) => held.toFault());
  }

  /** What every agent must know to tell injected from organic failures: also those being armed, and just ended. */
  activeFaults(): ActiveFault[] {
    const now = this.#options.clock.monotonicMs();
    this.#recent = this.#recent.filter((recent) => recent.untilMs > now);
    return [
      ...[...this.#held.values()].map((held) => held.active()),
      ...this.#recent.map(({ fault }) => fault),
    ];
  }

  async start(request: unknown, owner: Owner): Promise<Fault> {
    const [fault] = await this.#startAll([planFault(request)], owner, undefined);
    if (!fault) throw new TypeError('A start without a fault');
    return fault;
  }

  /** Starts all faults of a preset, or none. */
  startPreset({ name, ttlMs }: StartPreset, owner: Owner): Promise<Fault[]> {
    const preset = findPreset(name);
    return this.#startAll(planPreset(preset, ttlMs), owner, preset.name);
  }

  /**
   * Changes strength, modifiers, lease or owner.
   * @throws {Refusal} FAULT_NOT_FOUND, STALE_VERSION, INVALID_INPUT, INJECTOR_UNAVAILABLE
   */
  change(id: string, change: ChangeFault, version: number | undefined, by: Owner): Promise<Fault> {
    const held = this.#held.get(id);
    if (!held) return Promise.reject(unknownFault(id));
    const changing = held.changing.catch(() => {}).then(() => this.#change(held, change, version, by));
    held.changing = changing;
    return changing;
  }

  /** @throws {Refusal} FAULT_NOT_FOUND */
  async stop(id: string, by: string): Promise<FaultReceipt> {
    return this.end(id, 'stopped', by);
  }

  /** @throws {Refusal} FAULT_NOT_FOUND */
  async end(id: string, reason: FaultEndReason, by: string): Promise<FaultReceipt> {
    const held = this.#held.get(id);
    if (!held || !isShown(held)) throw unknownFault(id);
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
    const ended = await Promise.all([...this.#held.values()].map((held) => this.#haltOne(held, by)));
    const faults = ended.filter((receipt) => receipt !== undefined);
    const receipt: HaltReceipt = {
      at,
      by,
      reason,
      faults,
      unacknowledged: [...new Set(faults.filter((each) => !each.acknowledged).map((each) => each.injector))],
      tookMs: elapsed(clock, startedMs),
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
    if (held.phase.name === 'on') this.#finish(held, reason, this.#receipt(held, reason, true, 0));
    else if (held.phase.name === 'lingering') this.#confirm(held);
    else held.endedEarly = true;
  }

  /** An injector has (re)connected and says which faults it holds. */
  agentArrived(name: InjectorName, instanceId: string, holds: readonly string[]): void {
    for (const id of holds) {
      if (!this.#held.has(id)) this.#orderEnd(name, id, 'control_lost');
    }
    for (const held of this.#heldBy(name)) {
      if (held.instanceId !== instanceId) this.#lose(held);
      else if (holds.includes(held.id)) {
        if (held.phase.name === 'lingering') void this.#retryEnd(held);
      } else if (held.phase.name === 'lingering') this.#confirm(held);
      else if (held.phase.name === 'on') {
        // It ended by silence; its word about that is on the way and says more than we know.
        this.#later(WORD_OF_END_MS, () => {
          if (held.phase.name === 'on') {
            this.#finish(held, 'control_lost', this.#receipt(held, 'control_lost', true, 0));
          }
        });
      }
    }
  }

  /** An injector's link is gone; its faults end by silence after 3 s, or ended with its process. */
  agentLeft(name: InjectorName): void {
    this.#later(this.#options.injectorLostMs, () => {
      const instanceId = this.#options.link.instanceOf(name);
      for (const held of this.#heldBy(name)) {
        if (held.instanceId !== instanceId) this.#lose(held);
      }
    });
  }

  /** Ends everything, as part of an orderly stop of the control process. */
  async close(): Promise<void> {
    await Promise.all([...this.#held.values()].map((held) => this.#haltOne(held, SYSTEM, 'stopped')));
    for (const timer of this.#timers) timer.cancel();
    for (const held of this.#held.values()) held.expiry?.cancel();
  }

  #startAll(plans: readonly PlannedFault[], owner: Owner, preset: string | undefined): Promise<Fault[]> {
    const { clock, link } = this.#options;
    if (this.#halted) return Promise.reject(haltedRefusal(this.#halted));
    for (const plan of plans) {
      const twin = [...this.#held.values()].find(
        (held) => isPresent(held) && held.service === plan.service && held.type === plan.type.type,
      );
      if (twin) {
        return Promise.reject(
          new Refusal(
            'FAULT_EXISTS',
            `${twin.type} on ${twin.service} is already active (${twin.id}), started by ${twin.owner.name}`,
            { owner: twin.owner.name },
          ),
        );
      }
    }
    const away = [...new Set(plans.map((plan) => plan.injector))].filter(
      (name) => link.instanceOf(name) === undefined,
    );
    if (away.length > 0) return Promise.reject(unavailable(away, 'is not connected'));
    const all = plans.map((plan) => {
      const instanceId = link.instanceOf(plan.injector);
      return new HeldFault(clock, { id: ulid(), plan, preset, instanceId, owner });
    });
    for (const held of all) this.#held.set(held.id, held);
    const started = this.#arm(all);
    for (const held of all) held.settled = started.catch(() => {});
    return started;
  }

  async #arm(all: readonly HeldFault[]): Promise<Fault[]> {
    const { clock, log, link, logger } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      for (const held of all) {
        log.arming({ id: held.id, service: held.service, type: held.type, by: held.owner.name });
      }
      await log.sync();
    } catch (error) {
      logger.error({ err: error }, 'a fault was refused: it could not be journalled');
      for (const held of all) this.#forget(held);
      throw new Refusal('PROCESS_UNAVAILABLE', 'The journal cannot be written, so no fault is armed');
    }
    this.emit('changed'); // agents learn of it before its first victim
    const failures = await Promise.all(
      all.map(async (held) => {
        held.deadlineMs = clock.monotonicMs() + held.plan.ttlMs;
        try {
          const answer = await link.arm(held.injector, held.spec({ ttlMs: held.plan.ttlMs }));
          held.armedInMs = elapsed(clock, startedMs);
          if (!answer.ok) return `${held.injector} refused: ${answer.message}`;
          return held.endedEarly ? `${held.injector} ended it at once` : undefined;
        } catch {
          return `${held.injector} did not acknowledge in time`;
        }
      }),
    );
    const reasons = failures.filter((failure) => failure !== undefined);
    if (reasons.length > 0 || this.#halted) {
      const reason = this.#halted ? 'halted' : 'rolled_back';
      await Promise.all(all.map((held) => this.#rollBack(held, reason)));
      if (this.#halted) throw haltedRefusal(this.#halted);
      const failed = all.filter((_, index) => failures[index] !== undefined).map((held) => held.injector);
      throw unavailable([...new Set(failed)], 'could not arm the fault', reasons.join('; '));
    }
    for (const held of all) {
      held.phase = { name: 'on' };
      this.#watchExpiry(held);
      log.tell('faultStarted', held.service, { fault: held.toFault() });
    }
    this.emit('changed');
    return all.map((held) => held.toFault());
  }

  async #rollBack(held: HeldFault, reason: FaultEndReason): Promise<void> {
    const receipt = await this.#release(held, reason);
    this.#options.log.notArmed(held.id);
    if (receipt.acknowledged) this.#forget(held);
    else this.#linger(held, receipt, false);
    this.emit('changed');
  }

  async #change(
    held: HeldFault,
    change: ChangeFault,
    version: number | undefined,
    by: Owner,
  ): Promise<Fault> {
    if (held.phase.name !== 'on') throw unknownFault(held.id);
    if (version !== undefined && version !== held.version) {
      throw new Refusal('STALE_VERSION', `The fault is at version ${held.version}, not ${version}`, {
        field: 'version',
        value: version,
        allowed: String(held.version),
      });
    }
    const { plan } = held;
    const changed = planChange(plan, change);
    const stronger = changesStrength(change);
    const ttlMs = change.ttlMs;
    held.version++; // before the call: an unanswered change may have been applied, and must not win over the next
    if (stronger || ttlMs !== undefined)
      await this.#orderChange(held, { ...changed, ...(ttlMs ? { ttlMs } : {}) });
    if (held.phase.name !== 'on') throw unknownFault(held.id);
    Object.assign(plan, changed, { ttlMs: ttlMs ?? plan.ttlMs });
    if (ttlMs !== undefined) {
      held.deadlineMs = this.#options.clock.monotonicMs() + ttlMs;
      this.#watchExpiry(held);
    }
    if (change.takeOver) held.owner = by;
    const fault = held.toFault();
    const tell = (kind: 'strength' | 'extended' | 'takenOver') =>
      this.#options.log.tell('faultChanged', held.service, { fault, change: kind, by: by.name });
    if (change.takeOver) tell('takenOver');
    if (stronger) tell('strength');
    if (ttlMs !== undefined) tell('extended');
    this.emit('changed');
    return fault;
  }

  async #orderChange(held: HeldFault, change: ChangedPlan & { ttlMs?: number }): Promise<void> {
    let why = 'did not acknowledge in time';
    try {
      const answer = await this.#options.link.change(held.injector, held.spec(change));
      if (answer.ok) return;
      why = `refused: ${answer.message}`;
    } catch (error) {
      this.#options.logger.warn({ err: error, fault: held.id }, 'a change was not acknowledged');
    }
    throw unavailable([held.injector], `${why}, so the fault may be unchanged`);
  }

  #end(held: HeldFault, reason: FaultEndReason, by: string): Promise<FaultReceipt> {
    if (held.phase.name === 'ending') return held.phase.receipt;
    if (held.phase.name === 'lingering') return this.#retryEnd(held);
    const receipt = this.#release(held, reason).then((released) => {
      this.#finish(held, reason, released, by);
      return released;
    });
    held.phase = { name: 'ending', receipt };
    return receipt;
  }

  /** Tells the injector to end a fault; the receipt says whether it did. */
  async #release(held: HeldFault, reason: FaultEndReason): Promise<FaultReceipt> {
    const { clock, link, logger } = this.#options;
    held.expiry?.cancel();
    const startedMs = clock.monotonicMs();
    let acknowledged = false;
    try {
      const answer = await link.end(held.injector, held.id, reason);
      acknowledged = answer.ok;
      if (answer.ok && answer.data.activity) this.#observe(held, answer.data.activity);
      if (!answer.ok)
        logger.error({ fault: held.id, message: answer.message }, 'an injector could not end a fault');
    } catch {
      logger.error({ fault: held.id, injector: held.injector }, 'the end of a fault was not acknowledged');
    }
    const receipt = this.#receipt(held, reason, acknowledged, elapsed(clock, startedMs));
    held.lastReceipt = receipt;
    return receipt;
  }

  /** The fault is over, or as far as it can be told to be: says so once. */
  #finish(held: HeldFault, reason: FaultEndReason, receipt: FaultReceipt | null, by = SYSTEM): void {
    held.expiry?.cancel();
    if (receipt && !receipt.acknowledged) this.#linger(held, receipt, true);
    else this.#forget(held);
    this.#options.log.tell('faultEnded', held.service, {
      faultId: held.id,
      service: held.service,
      faultType: held.type,
      reason,
      hits: held.hits,
      by,
      receipt,
    });
    this.emit('changed');
  }

  #linger(held: HeldFault, receipt: FaultReceipt, shown: boolean): void {
    held.phase = { name: 'lingering', receipt, shown };
    this.#options.log.tell('alert', held.injector, {
      code: 'END_UNACKNOWLEDGED',
      service: held.service,
      count: 1,
      text: `${held.injector} did not acknowledge the end of ${held.type} on ${held.service}`,
    });
    const retry = () => {
      if (held.phase.name !== 'lingering' || !this.#held.has(held.id)) return;
      const overMs = this.#options.clock.monotonicMs() - held.deadlineMs;
      if (overMs > LINGER_BEYOND_TTL_MS) this.#confirm(held);
      else void this.#retryEnd(held).then(() => this.#later(RETRY_END_MS, retry));
    };
    this.#later(RETRY_END_MS, retry);
  }

  async #retryEnd(held: HeldFault): Promise<FaultReceipt> {
    const receipt = await this.#release(held, held.lastReceipt?.reason ?? 'stopped');
    if (receipt.acknowledged && held.phase.name === 'lingering') this.#confirm(held);
    return receipt;
  }

  /** A fault that was told to end has ended at last. */
  #confirm(held: HeldFault): void {
    this.#forget(held);
    this.#options.log.tell('alert', held.injector, {
      code: 'END_UNACKNOWLEDGED',
      service: held.service,
      count: 0,
      text: `${held.type} on ${held.service} has ended now`,
    });
    this.emit('changed');
  }

  /** The process in which it acted is gone, or has ended it by silence. */
  #lose(held: HeldFault): void {
    if (held.phase.name === 'on') this.#finish(held, 'injector_lost', null);
    else if (held.phase.name === 'lingering') this.#confirm(held);
  }

  async #haltOne(
    held: HeldFault,
    by: string,
    reason: FaultEndReason = 'halted',
  ): Promise<FaultReceipt | undefined> {
    if (held.phase.name === 'arming') {
      await held.settled; // at most the time-out of its acknowledgement; it sees the latch and rolls back
      if (held.phase.name === 'arming' || !this.#held.has(held.id)) return held.lastReceipt;
    }
    return this.#end(held, reason, by);
  }

  #observe(held: HeldFault, activity: FaultActivity): boolean {
    return held.observe(activity, (kind, count) => {
      this.emit('hits', { service: held.service, type: held.type, kind, count });
    });
  }

  #receipt(
    held: HeldFault,
    reason: FaultEndReason,
    acknowledged: boolean,
    acknowledgedInMs: number,
  ): FaultReceipt {
    return {
      faultId: held.id,
      service: held.service,
      type: held.type,
      reason,
      injector: held.injector,
      acknowledged,
      acknowledgedInMs,
      hits: held.hits,
      remaining: this.#options.remaining(),
    };
  }

  #forget(held: HeldFault): void {
    held.expiry?.cancel();
    if (!this.#held.delete(held.id)) return;
    const { clock, recentMs } = this.#options;
    const fault = { ...held.active(), endedAt: clock.now() };
    this.#recent.push({ fault, untilMs: clock.monotonicMs() + recentMs });
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

  #heldBy(name: InjectorName): HeldFault[] {
    return [...this.#held.values()].filter((held) => held.injector === name);
  }

  #later(delayMs: number, work: () => void): void {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      work();
    });
    this.#timers.add(timer);
  }
}

function isPresent({ phase }: HeldFault): boolean {
  return phase.name !== 'lingering' || phase.shown;
}

function isShown(held: HeldFault): boolean {
  return held.phase.name !== 'arming' && isPresent(held);
}

function elapsed(clock: Clock, sinceMs: number): number {
  return Math.round((clock.monotonicMs() - sinceMs) * 10) / 10;
}

function unknownFault(id: string): Refusal {
  return new Refusal('FAULT_NOT_FOUND', `No fault ${id.slice(0, 64)} is active`);
}

function haltedRefusal({ by, reason }: Halted): Refusal {
  return new Refusal('HALTED', `Halted by ${by}${reason ? ` (${reason})` : ''}: resume first`, { owner: by });
}

function unavailable(injectors: InjectorName[], what: string, why?: string): Refusal {
  const detail = `${injectors.join(', ')} ${what}${why ? ` (${why})` : ''}`;
  return new Refusal('INJECTOR_UNAVAILABLE', detail, { injectors });
}
