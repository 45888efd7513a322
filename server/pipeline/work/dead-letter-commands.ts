import type { Clock } from '#lib/chaos/clock.ts';
import type { DeadLetter } from '#lib/chaos/dead-letters/dead-letter.ts';
import type { DeadLetterStore } from '#lib/chaos/dead-letters/dead-letter-store.ts';
import { countFaults, groupLetters } from '#lib/chaos/dead-letters/letter-groups.ts';
import {
  DLQ_WINDOW,
  type DlqRefusal,
  type DlqTaken,
  type LetterTask,
  REDRIVE_RATE_DEFAULT,
} from '#lib/protocol/dead-letters.ts';
import type { AgentCommands } from '#lib/protocol/events.ts';
import type { DlqStatus } from '#lib/protocol/state.ts';
import type { Intake } from '../contracts.ts';
import type { DroppedUploads } from './dropped-uploads.ts';
import { isRedrivable } from './letter-payload.ts';
import { LetterTasks } from './letter-tasks.ts';

export interface DeadLetterCommandsOptions {
  store: DeadLetterStore;
  dropped: DroppedUploads;
  intake: () => Pick<Intake, 'discard'>;
  /** Gives one letter back. False when no such letter waits, or it is on its way already. */
  redrive: (id: string) => Promise<boolean>;
  /** Why letters of a queue cannot be given back now, in words; null when they can. */
  blockedBy: (queue: string) => string | null;
  /** Many letters are being given back or purged, or were. */
  onTask: (task: LetterTask) => void;
  clock: Clock;
}

/** Size of a part of an export: far below what one message of the agent may hold. */
const EXPORT_CHARS = 128 * 1024;

type CommandName = Extract<keyof AgentCommands, `dlq:${string}`>;
type Request<Name extends CommandName> = AgentCommands[Name]['request'];
type Answer<Name extends CommandName> = Promise<AgentCommands[Name]['answer']>;

/** What a person may do with dead letters: look, export, give back, purge; many at once as tasks. */
export class DeadLetterCommands {
  readonly #options: DeadLetterCommandsOptions;
  readonly #tasks: LetterTasks;

  constructor(options: DeadLetterCommandsOptions) {
    this.#options = options;
    const { store, clock, redrive, blockedBy, onTask } = options;
    this.#tasks = new LetterTasks({
      clock,
      blockedBy,
      redrive,
      purge: (ids, reason) => this.#purgeSome(ids, reason),
      onChanged: onTask,
    });
    store.on('deadLettered', ({ letter }) => this.#tasks.arrived(letter.id));
  }

  /** Ends every task where it is. */
  close(): Promise<void> {
    return this.#tasks.close();
  }

  /** How many wait, which tasks are on, and which queues cannot be given back now. */
  status(): DlqStatus {
    const { store, blockedBy } = this.#options;
    const status = store.status();
    const blocked = Object.keys(status.byQueue).flatMap((queue) => {
      const why = blockedBy(queue);
      return why === null ? [] : [[queue, why] as const];
    });
    return { ...status, tasks: this.#tasks.status(), blocked: Object.fromEntries(blocked) };
  }

  /** Whether a task tells of this letter, so that it need not be told by itself. */
  inTask(id: string): boolean {
    return this.#tasks.hasGiven(id);
  }

  async list(request: Request<'dlq:list'>): Answer<'dlq:list'> {
    const page = this.#options.store.list(request);
    return { ...page, items: page.items.map((letter) => ({ ...letter, redrivable: isRedrivable(letter) })) };
  }

  async groups(filter: Request<'dlq:groups'>): Answer<'dlq:groups'> {
    const { store } = this.#options;
    return {
      ...groupLetters(store.matching(filter), { window: DLQ_WINDOW, isRedrivable }),
      faults: countFaults(store.matching({}), { window: DLQ_WINDOW }),
      mark: store.mark(),
    };
  }

  async export({ mark, cursor, ...filter }: Request<'dlq:export'>): Answer<'dlq:export'> {
    const { store } = this.#options;
    const upTo = mark ?? store.mark();
    if (!store.knowsMark(upTo)) return null;
    const total = cursor === undefined ? [...store.matching(filter, upTo)].length : null;
    return { ...store.lines({ ...filter, mark: upTo, cursor }, EXPORT_CHARS), total, mark: upTo };
  }

  /** Gives letters back: those of `ids` at once, all that match as tasks, at most `ratePerSecond` of a queue. */
  async redrive(request: Request<'dlq:redrive'>): Answer<'dlq:redrive'> {
    const { store } = this.#options;
    const { ids, ratePerSecond = REDRIVE_RATE_DEFAULT, by = 'REST', ...filter } = request;
    if (ids) return this.#redriveThese(ids);
    return this.#takeOn(store.matching(filter), (queue, letterIds) =>
      this.#tasks.start({ kind: 'redrive', queue, ids: letterIds, by, filter, ratePerSecond }),
    );
  }

  /** Removes all that match and that the mark stands for. */
  async purgeAll({ mark, reason, by, ...filter }: Request<'dlq:purgeAll'>): Answer<'dlq:purgeAll'> {
    const { store } = this.#options;
    if (!store.knowsMark(mark)) return null;
    return this.#takeOn(
      store.matching(filter, mark),
      (queue, ids) => this.#tasks.start({ kind: 'purge', queue, ids, by, filter, reason }),
      true,
    );
  }

  async cancel({ queue, by }: Request<'dlq:cancel'>): Answer<'dlq:cancel'> {
    return { task: (await this.#tasks.cancel(queue, `cancelled by ${by}`)) ?? null };
  }

  /**
   * Removes a letter for good, unless it is being given back. An accepted upload that is nowhere else is then dropped,
   * by name.
   */
  async purge({ id, reason }: Request<'dlq:purge'>): Answer<'dlq:purge'> {
    const { store } = this.#options;
    const letter = store.get(id);
    if (!letter || !store.holds(id)) return { purged: false };
    await this.#dropUploads([letter], reason);
    return { purged: await store.purge(id, reason) };
  }

  async #purgeSome(ids: readonly string[], reason: string): Promise<number> {
    const { store } = this.#options;
    const held = ids.filter((id) => store.holds(id));
    await this.#dropUploads(
      held.flatMap((id) => store.get(id) ?? []),
      reason,
    );
    return store.purgeMany(held, reason);
  }

  async #dropUploads(letters: readonly DeadLetter[], reason: string): Promise<void> {
    const { dropped, intake, clock } = this.#options;
    const uploads = letters.flatMap(({ queue, uploadId }) => (queue === 'detection' ? (uploadId ?? []) : []));
    if (uploads.length === 0) return;
    await dropped.addAll(uploads, reason, clock.now());
    await Promise.all(uploads.map((uploadId) => intake().discard(uploadId)));
  }

  async #redriveThese(ids: readonly string[]): Promise<DlqTaken> {
    const { store, blockedBy, redrive } = this.#options;
    const taken: DlqTaken = { accepted: 0, tasks: [], refused: [] };
    for (const id of ids) {
      const letter = store.get(id);
      if (!letter) continue;
      const { queue } = letter;
      const blocked = blockedBy(queue);
      if (!isRedrivable(letter)) {
        const why = 'It was never accepted: only its camera can send it again';
        taken.refused.push({ queue, code: 'NOT_REDRIVABLE', why });
      } else if (blocked !== null) taken.refused.push({ queue, code: 'BREAKER_OPEN', why: blocked });
      else if (await redrive(id)) taken.accepted++;
    }
    return taken;
  }

  /** One task for each queue that can take one now; a purge needs nothing to be well and takes every letter. */
  #takeOn(
    letters: Iterable<DeadLetter>,
    start: (queue: string, ids: readonly string[]) => LetterTask,
    isPurge = false,
  ): DlqTaken {
    const byQueue = new Map<string, string[]>();
    for (const letter of letters) {
      if (!isPurge && !isRedrivable(letter)) continue;
      const ids = byQueue.get(letter.queue);
      if (ids) ids.push(letter.id);
      else byQueue.set(letter.queue, [letter.id]);
    }
    const taken: DlqTaken = { accepted: 0, tasks: [], refused: [] };
    for (const [queue, ids] of byQueue) {
      if (!isPurge) ids.reverse(); // the oldest work first
      const refused = this.#refusalOf(queue, isPurge);
      if (refused) taken.refused.push(refused);
      else {
        taken.accepted += ids.length;
        taken.tasks.push(start(queue, ids));
      }
    }
    return taken;
  }

  #refusalOf(queue: string, isPurge: boolean): DlqRefusal | undefined {
    const current = this.#tasks.current(queue);
    if (current) {
      const { kind, by, done, total } = current;
      const why = `A ${kind} by ${by} is on: ${done} of ${total}`;
      return { queue, code: 'TASK_RUNNING', why };
    }
    const why = isPurge ? null : this.#options.blockedBy(queue);
    return why === null ? undefined : { queue, code: 'BREAKER_OPEN', why };
  }
}
