import type { Clock, Timer } from '#lib/chaos/clock.ts';
import type { DeadLetterStore } from '#lib/chaos/dead-letters/dead-letter-store.ts';
import { type Reconciliation, WorkLedger } from '#lib/chaos/ledger/work-ledger.ts';
import type { LedgerStatus } from '#lib/protocol/state.ts';
import type { Logger } from '#server/logging.ts';
import type { Intake } from '../contracts.ts';
import type { Database } from '../database/database.ts';
import type { PipelineProfile } from '../profile.ts';
import type { DetectionPayload } from './detection-work.ts';
import type { DroppedUploads } from './dropped-uploads.ts';
import type { OpenUploads } from './open-uploads.ts';
import { TerminalRows } from './terminal-rows.ts';
import type { WorkQueue } from './work-queue.ts';

export interface ReconcilerOptions {
  db: Database;
  intake: () => Intake;
  queue: WorkQueue<DetectionPayload>;
  letters: DeadLetterStore;
  dropped: DroppedUploads;
  open: OpenUploads;
  clock: Clock;
  logger: Logger;
  rhythm: PipelineProfile['ledger'];
  /** Frames without an event and lost analysis jobs are looked for in the same rhythm. */
  sweep: () => Promise<void>;
  /** The verdict, `lost` or `doubled` has changed. */
  onChanged: (ledger: LedgerStatus) => void;
}

/**
 * Compares, round after round, the ids that were accepted with the places where they are, and sets going again what
 * has a file but no schedule.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #ledger = new WorkLedger();
  readonly #rows: TerminalRows;
  /** In the inbox without a schedule in the last round. */
  #idle: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #again = false;
  #closed = false;
  #told = '';

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#rows = new TerminalRows(options.db.direct);
  }

  start(): void {
    this.#schedule(1000);
  }

  /** A round soon, for example because a fault has ended. */
  soon(): void {
    if (this.#round !== undefined) this.#again = true;
    else this.#schedule(1000);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#round;
  }

  status(): LedgerStatus {
    const { allLostIds: _, oldestPendingMs: __, memory: ___, disk: ____, ...status } = this.#ledger.last;
    return status;
  }

  /** One round now; joins the one that runs. */
  run(): Promise<void> {
    this.#round ??= this.#reconcile()
      .catch((error: unknown) => this.#options.logger.error({ err: error }, 'reconciliation failed'))
      .finally(() => {
        this.#round = undefined;
      });
    return this.#round;
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(delayMs, () => {
      void this.run().then(() => {
        const { roundMs, soonMs } = this.#options.rhythm;
        const { verdict } = this.#ledger.last;
        const unsettled = verdict === 'MOVING' || verdict === 'UNKNOWN' || this.#idle.size > 0;
        this.#schedule(this.#again ? 1000 : unsettled ? soonMs : roundMs);
        this.#again = false;
      });
    });
  }

  async #reconcile(): Promise<void> {
    const { intake, queue, letters, dropped, clock } = this.#options;
    // In the order in which work flows: what moves on meanwhile is seen twice rather than not at all.
    const accepted = await orError(async () => new Map(await intake().acceptedIds()));
    const inbox = await orError(() => intake().inboxIds());
    const scheduled = await orError(() => queue.scheduled());
    const { memory, disk } = queue.fallbackIds();
    const inFlight = new Set(queue.inFlight());
    const dlq = letters.ids();
    const droppedIds = new Set([...dropped.ids(), ...queue.droppedIds()]);
    const quarantined = await orError(() => intake().quarantinedIds());
    const rows = await orError(() => this.#rows.read(accepted instanceof Error ? [] : accepted.keys()));
    const last = this.#ledger.reconcile(
      {
        accepted,
        inbox,
        queued: scheduled instanceof Error ? scheduled : scheduled.queued,
        memory,
        disk,
        inFlight,
        dlq,
        dropped: droppedIds,
        quarantined,
        duplicate: rows instanceof Error ? rows : rows.duplicate,
        stored: rows instanceof Error ? rows : rows.stored,
        inTwoEvents: rows instanceof Error ? rows : rows.inTwoEvents,
        owed: rows instanceof Error ? rows : rows.owed,
      },
      clock.now(),
    );
    this.#tell(last);
    if (accepted instanceof Error || rows instanceof Error || quarantined instanceof Error) return;
    const settled = (id: string) =>
      rows.stored.has(id) ||
      rows.duplicate.has(id) ||
      quarantined.has(id) ||
      droppedIds.has(id) ||
      dlq.has(id);
    this.#options.open.replace(new Map([...accepted].filter(([id]) => !settled(id))));
    if (inbox instanceof Error) return;
    await this.#tidy(inbox, rows);
    if (scheduled instanceof Error) return;
    const waiting = [...inbox].filter(
      (id) => !settled(id) && !scheduled.queued.has(id) && !scheduled.parked.has(id) && !queue.knows(id),
    );
    await this.#restart(waiting);
    await this.#options
      .sweep()
      .catch((error: unknown) => this.#options.logger.debug({ err: error }, 'sweep: later'));
  }

  /** Takes files out of the inbox whose row is there but whose move failed. */
  async #tidy(
    inbox: ReadonlySet<string>,
    rows: { stored: ReadonlySet<string>; duplicate: ReadonlySet<string> },
  ): Promise<void> {
    const { intake, logger } = this.#options;
    for (const id of inbox) {
      try {
        if (rows.stored.has(id)) await intake().store(id);
        else if (rows.duplicate.has(id)) await intake().discard(id);
      } catch (error) {
        logger.warn({ uploadId: id, err: error }, 'a stored file stays in the inbox');
      }
    }
  }

  /** Files that nobody has scheduled for a whole round are submitted again. */
  async #restart(waiting: readonly string[]): Promise<void> {
    const { intake, logger } = this.#options;
    for (const id of waiting.filter((each) => this.#idle.has(each))) {
      logger.warn({ uploadId: id }, 'no schedule for a file in the inbox: submitted again');
      await intake()
        .resubmit(id)
        .catch((error: unknown) => logger.warn({ uploadId: id, err: error }, 'could not be submitted again'));
    }
    this.#idle = new Set(waiting);
  }

  #tell(last: Reconciliation): void {
    // What moves between two rounds is no news.
    const verdict = last.verdict === 'MOVING' ? 'BALANCED' : last.verdict;
    const news = JSON.stringify([verdict, last.allLostIds, last.doubledIds]);
    if (news === this.#told) return;
    this.#told = news;
    const { lost, lostIds, doubled, doubledIds, unreadable } = last;
    if (lost > 0 || doubled > 0) {
      this.#options.logger.error({ lost, lostIds, doubled, doubledIds }, 'the ledger does not balance');
    } else this.#options.logger.info({ verdict: last.verdict, unreadable }, 'ledger');
    this.#options.onChanged(this.status());
  }
}

async function orError<T>(read: () => Promise<T>): Promise<T | Error> {
  try {
    return await read();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
