import type { Clock } from '../../lib/chaos/clock.ts';
import type { ChangeFault, Fault, Owner } from '../../lib/protocol/faults.ts';
import type { Logger } from '../logging.ts';
import type { FactLog } from './fact-log.ts';
import { staleVersion, unavailable, unknownFault } from './fault-refusals.ts';
import type { HeldFault } from './held-fault.ts';
import type { InjectorLink } from './injector-link.ts';
import { type ChangedPlan, changesStrength, planChange } from './plan-fault.ts';

export interface FaultChangesOptions {
  link: InjectorLink;
  log: Pick<FactLog, 'tell'>;
  logger: Logger;
  clock: Clock;
  /** Its lease is another one now. */
  watchExpiry: (held: HeldFault) => void;
  onChanged: () => void;
}

/** Changes strength, modifiers, lease or owner of a fault in force; the injector takes it first, or nothing changes. */
export class FaultChanges {
  readonly #options: FaultChangesOptions;

  constructor(options: FaultChangesOptions) {
    this.#options = options;
  }

  /** @throws {Refusal} FAULT_NOT_FOUND, STALE_VERSION, INVALID_INPUT, INJECTOR_UNAVAILABLE */
  async change(held: HeldFault, change: ChangeFault, version: number | undefined, by: Owner): Promise<Fault> {
    if (held.phase.name !== 'on') throw unknownFault(held.id);
    if (version !== undefined && version !== held.version) throw staleVersion(held, version);
    const { plan } = held;
    const changed = planChange(plan, change);
    const stronger = changesStrength(change);
    const ttlMs = change.ttlMs;
    const orderedMs = this.#options.clock.monotonicMs();
    held.version++; // before the call: an unanswered change may have been applied, and must not win over the next
    if (stronger || ttlMs !== undefined)
      await this.#orderChange(held, { ...changed, ...(ttlMs ? { ttlMs } : {}) });
    if (held.phase.name !== 'on') throw unknownFault(held.id);
    Object.assign(plan, changed, { ttlMs: ttlMs ?? plan.ttlMs });
    if (ttlMs !== undefined) {
      held.deadlineMs = orderedMs + ttlMs; // at most the way of the message before the injector's own
      this.#options.watchExpiry(held);
    }
    if (change.takeOver) held.owner = by;
    const fault = held.toFault();
    const tell = (kind: 'strength' | 'extended' | 'takenOver') =>
      this.#options.log.tell('faultChanged', held.service, { fault, change: kind, by: by.name });
    if (change.takeOver) tell('takenOver');
    if (stronger) tell('strength');
    if (ttlMs !== undefined) tell('extended');
    this.#options.onChanged();
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
}
