import type { Clock } from '../../lib/chaos/clock.ts';
import type { FaultEndReason } from '../../lib/chaos/faults/fault.ts';
import type { Logger } from '../logging.ts';
import { elapsedMs } from './elapsed.ts';
import type { FactLog } from './fact-log.ts';
import type { FaultEndings } from './fault-endings.ts';
import { unavailable } from './fault-refusals.ts';
import type { HeldFault } from './held-fault.ts';
import type { HeldFaults } from './held-faults.ts';
import type { InjectorLink } from './injector-link.ts';
import { Refusal } from './problem.ts';

export interface FaultArmingOptions {
  faults: HeldFaults;
  endings: FaultEndings;
  link: InjectorLink;
  log: Pick<FactLog, 'arming' | 'notArmed' | 'sync'>;
  logger: Logger;
  clock: Clock;
  /** Why nothing may be armed any more; undefined while it may. */
  stop: () => Refusal | undefined;
  /** The list of faults is another one. */
  onChanged: () => void;
}

/**
 * Brings faults into force, all of them or none:
 *
 *     journal (on disk) ──► arm ──ack of each──► armed
 *                            └─ one missing within 1 s ──► each is ended again
 */
export class FaultArming {
  readonly #options: FaultArmingOptions;

  constructor(options: FaultArmingOptions) {
    this.#options = options;
  }

  /** @throws {Refusal} PROCESS_UNAVAILABLE, HALTED, INJECTOR_UNAVAILABLE; none is then in force, as far as they acknowledge */
  async arm(all: readonly HeldFault[]): Promise<void> {
    const { clock, log, link, logger, stop, onChanged } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      for (const held of all) {
        log.arming({ id: held.id, service: held.service, type: held.type, by: held.owner.name });
      }
      await log.sync();
    } catch (error) {
      logger.error({ err: error }, 'a fault was refused: it could not be journalled');
      for (const held of all) this.#notArmed(held);
      throw new Refusal('PROCESS_UNAVAILABLE', 'The journal cannot be written, so no fault is armed');
    }
    const late = stop();
    if (late) {
      for (const held of all) this.#notArmed(held);
      throw late;
    }
    onChanged(); // agents learn of it before its first victim
    const failures = await Promise.all(
      all.map(async (held) => {
        if (held.endedEarly) return `${held.injector} was away meanwhile`;
        held.deadlineMs = clock.monotonicMs() + held.plan.ttlMs;
        try {
          const answer = await link.arm(held.injector, held.spec({ ttlMs: held.plan.ttlMs }));
          held.armedInMs = elapsedMs(clock, startedMs);
          if (!answer.ok) return `${held.injector} refused: ${answer.message}`;
          return undefined;
        } catch {
          return `${held.injector} did not acknowledge in time`;
        }
      }),
    );
    for (const [index, held] of all.entries()) {
      if (held.endedEarly) failures[index] ??= `${held.injector} ended it at once`;
    }
    const reasons = failures.filter((failure) => failure !== undefined);
    if (reasons.length > 0 || stop()) {
      const reason = stop() ? 'halted' : 'rolled_back';
      await Promise.all(all.map((held) => this.#rollBack(held, reason)));
      const refusal = stop();
      if (refusal) throw refusal;
      const failed = all.filter((_, index) => failures[index] !== undefined).map((held) => held.injector);
      throw unavailable(failed, 'could not arm the fault', reasons.join('; '));
    }
  }

  async #rollBack(held: HeldFault, reason: FaultEndReason): Promise<void> {
    const receipt = await (held.released ?? this.#options.endings.release(held, reason));
    if (receipt.acknowledged || held.endedEarly) this.#notArmed(held);
    else this.#options.endings.linger(held, receipt, false);
    this.#options.onChanged();
  }

  #notArmed(held: HeldFault): void {
    this.#options.log.notArmed(held.id);
    this.#options.faults.forget(held);
  }
}
