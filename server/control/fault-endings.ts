import type { Clock, Timer } from '../../lib/chaos/clock.ts';
import type { FaultActivity, FaultEndReason } from '../../lib/chaos/faults/fault.ts';
import type { FaultReceipt } from '../../lib/protocol/faults.ts';
import type { Logger } from '../logging.ts';
import { elapsedMs } from './elapsed.ts';
import type { FactLog } from './fact-log.ts';
import type { HeldFault } from './held-fault.ts';
import type { HeldFaults } from './held-faults.ts';
import type { InjectorLink } from './injector-link.ts';

export interface FaultEndingsOptions {
  faults: HeldFaults;
  link: InjectorLink;
  log: Pick<FactLog, 'tell' | 'notArmed'>;
  logger: Logger;
  clock: Clock;
  /** What is still recovering, for receipts. */
  remaining: () => string[];
  /** Told what an injector counted until the end. */
  observe: (held: HeldFault, activity: FaultActivity) => void;
  /** The list of faults is another one. */
  onChanged: () => void;
}

const RETRY_MS = 2000;

/**
 * Tells injectors to end faults, and does not let go of one whose end was not acknowledged:
 *
 *     release ──ack──► receipt
 *        └─ none ──► linger: asked again every 2 s, until
 *             the injector acknowledges, says that it ended it, connects without it, or is gone
 *
 * The lapse of the TTL alone is not enough: an injector whose effect will not go away says so for as long as it acts.
 */
export class FaultEndings {
  readonly #options: FaultEndingsOptions;
  readonly #retries = new Map<HeldFault, Timer>();

  constructor(options: FaultEndingsOptions) {
    this.#options = options;
  }

  /** Tells the injector to end a fault; the receipt says whether it did. Never rejects. */
  async release(held: HeldFault, reason: FaultEndReason): Promise<FaultReceipt> {
    const { clock, link, logger, observe } = this.#options;
    held.expiry?.cancel();
    const startedMs = clock.monotonicMs();
    let acknowledged = false;
    try {
      const answer = await link.end(held.injector, held.id, reason);
      acknowledged = answer.ok;
      if (answer.ok && answer.data.activity) observe(held, answer.data.activity);
      if (!answer.ok)
        logger.error({ fault: held.id, message: answer.message }, 'an injector could not end a fault');
    } catch {
      logger.error({ fault: held.id, injector: held.injector }, 'the end of a fault was not acknowledged');
    }
    const receipt = this.receipt(held, reason, acknowledged, elapsedMs(clock, startedMs));
    held.lastReceipt = receipt;
    return receipt;
  }

  receipt(
    held: HeldFault,
    reason: FaultEndReason,
    acknowledged: boolean,
    acknowledgedInMs: number,
  ): FaultReceipt {
    return {
      faultId: held.id,
      service: held.service,
      type: held.type,
      title: held.plan.type.title,
      reason,
      injector: held.injector,
      acknowledged,
      acknowledgedInMs,
      hits: held.hits,
      remaining: this.#options.remaining(),
    };
  }

  /** @param shown it was in force once, so that people see that it may still be */
  linger(held: HeldFault, receipt: FaultReceipt, shown: boolean): void {
    held.phase = { name: 'lingering', receipt, shown };
    this.#alert(held, 1, `${held.injector} did not acknowledge the end of ${held.type} on ${held.service}`);
    this.#retryLater(held);
  }

  async retry(held: HeldFault): Promise<FaultReceipt> {
    const receipt = await this.release(held, held.lastReceipt?.reason ?? 'stopped');
    if (receipt.acknowledged && held.phase.name === 'lingering') this.confirm(held);
    return receipt;
  }

  /** A fault that was told to end has ended at last. */
  confirm(held: HeldFault): void {
    if (held.phase.name !== 'lingering') return;
    const { shown } = held.phase;
    this.#retries.get(held)?.cancel();
    this.#retries.delete(held);
    const { faults, log, onChanged } = this.#options;
    faults.forget(held);
    if (!shown) log.notArmed(held.id);
    this.#alert(held, 0, `${held.type} on ${held.service} has ended now`);
    onChanged();
  }

  close(): void {
    for (const timer of this.#retries.values()) timer.cancel();
    this.#retries.clear();
  }

  #retryLater(held: HeldFault): void {
    const timer = this.#options.clock.after(RETRY_MS, () => {
      void this.retry(held).then(() => {
        if (this.#retries.get(held) === timer) this.#retryLater(held);
      });
    });
    this.#retries.set(held, timer);
  }

  #alert(held: HeldFault, count: 0 | 1, text: string): void {
    const { injector, service } = held;
    this.#options.log.tell('alert', injector, { code: 'END_UNACKNOWLEDGED', service, count, text });
  }
}
