import { isAbortError } from '#lib/chaos/abort.ts';
import { type Clock, sleep } from '#lib/chaos/clock.ts';
import type { DlqFilter, LetterTask } from '#lib/protocol/dead-letters.ts';

export interface LetterTasksOptions {
  clock: Clock;
  /** Why letters of this queue cannot be given back now; null when they can. */
  blockedBy: (queue: string) => string | null;
  /** Gives one back. False when it was gone, or on its way, already. */
  redrive: (id: string) => Promise<boolean>;
  /** Removes some for good, at most `PURGE_CHUNK`; gives how many there were. */
  purge: (ids: readonly string[], reason: string) => Promise<number>;
  /** A task has started or ended. */
  onChanged: (task: LetterTask) => void;
}

export type LetterTaskOrder = {
  queue: string;
  ids: readonly string[];
  by: string;
  filter: DlqFilter;
} & ({ kind: 'redrive'; ratePerSecond: number } | { kind: 'purge'; reason: string });

interface Running {
  readonly task: LetterTask;
  readonly stop: AbortController;
  /** Given back by this task and not seen again. */
  readonly given: Set<string>;
  ended: Promise<void>;
}

const PURGE_CHUNK = 100;
/** How often a task that waits looks whether it may go on, ms. */
const LOOK_MS = 250;
/** Letters in a row that could not be given back, after which a task gives up. */
const FAILURES_MAX = 5;
const REMEMBERED_MS = 10 * 60_000;

/** Re-drives and purges of many letters, one at a time for each queue, with their progress. */
export class LetterTasks {
  readonly #options: LetterTasksOptions;
  /** The newest of each queue. */
  readonly #byQueue = new Map<string, Running>();
  #count = 0;

  constructor(options: LetterTasksOptions) {
    this.#options = options;
  }

  /** The task that is on for a queue. */
  current(queue: string): LetterTask | undefined {
    const task = this.#byQueue.get(queue)?.task;
    return task && task.endedAt === null ? { ...task } : undefined;
  }

  /** Whether a letter is being, or was just, given back by a task. */
  hasGiven(id: string): boolean {
    return [...this.#byQueue.values()].some(({ given }) => given.has(id));
  }

  /** Starts; it ends by itself. @throws {Error} while the queue has another one */
  start(order: LetterTaskOrder): LetterTask {
    const { queue, ids, kind, by, filter } = order;
    if (this.current(queue)) throw new Error(`The queue ${queue} has a task already`);
    const task: LetterTask = {
      id: `${kind}-${++this.#count}`,
      kind,
      queue,
      faultId: filter.faultId ?? null,
      signature: filter.signature ?? null,
      by,
      ratePerSecond: order.kind === 'redrive' ? order.ratePerSecond : null,
      state: 'running',
      why: null,
      total: ids.length,
      done: 0,
      skipped: 0,
      failed: 0,
      cameBack: 0,
      startedAt: this.#options.clock.now(),
      endedAt: null,
    };
    const running: Running = {
      task,
      stop: new AbortController(),
      given: new Set(),
      ended: Promise.resolve(),
    };
    this.#byQueue.set(queue, running);
    this.#options.onChanged({ ...task });
    running.ended = this.#run(running, order);
    return { ...task };
  }

  /** Ends the task of a queue where it is; what it did stays done. Undefined when none is on. */
  async cancel(queue: string, why: string): Promise<LetterTask | undefined> {
    const running = this.#byQueue.get(queue);
    if (!running || running.task.endedAt !== null) return undefined;
    running.task.why = why;
    running.stop.abort();
    await running.ended;
    return { ...running.task };
  }

  /** A letter waits that did not: one that a task gave back has come back. */
  arrived(id: string): void {
    for (const { task, given } of this.#byQueue.values()) if (given.delete(id)) task.cameBack++;
  }

  /** Newest first; those that ended more than ten minutes ago are left out. */
  status(): LetterTask[] {
    const now = this.#options.clock.now();
    return [...this.#byQueue.values()]
      .filter(({ task }) => task.endedAt === null || now - task.endedAt < REMEMBERED_MS)
      .map(({ task }) => ({ ...task }))
      .sort((a, b) => b.startedAt - a.startedAt);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#byQueue.keys()].map((queue) => this.cancel(queue, 'the pipeline stops')));
  }

  async #run(running: Running, order: LetterTaskOrder): Promise<void> {
    const { task, stop } = running;
    try {
      if (order.kind === 'redrive') await this.#redriveAll(running, order);
      else await this.#purgeAll(running, order);
      task.state = 'done';
      task.why = null;
    } catch (error) {
      const cancelled = stop.signal.aborted && isAbortError(error);
      task.state = cancelled ? 'cancelled' : 'failed';
      if (!cancelled) task.why = error instanceof Error ? error.message : String(error);
    }
    task.endedAt = this.#options.clock.now();
    this.#options.onChanged({ ...task });
  }

  /** The next one is due one interval after the last: late ones are not made up for by a burst. */
  async #redriveAll(
    running: Running,
    { ids, ratePerSecond }: LetterTaskOrder & { kind: 'redrive' },
  ): Promise<void> {
    const { clock, redrive } = this.#options;
    const { task, stop, given } = running;
    let dueMs = clock.monotonicMs();
    let failuresInARow = 0;
    for (const id of ids) {
      const waitMs = dueMs - clock.monotonicMs();
      if (waitMs > 0) await sleep(clock, waitMs, stop.signal);
      await this.#untilUnblocked(running);
      stop.signal.throwIfAborted();
      dueMs = Math.max(dueMs, clock.monotonicMs()) + 1000 / ratePerSecond;
      given.add(id); // before: it may come back before the call has returned
      try {
        if (await redrive(id)) task.done++;
        else {
          given.delete(id);
          task.skipped++;
        }
        failuresInARow = 0;
      } catch (error) {
        given.delete(id);
        task.failed++;
        if (++failuresInARow >= FAILURES_MAX) throw error;
      }
    }
  }

  async #untilUnblocked({ task, stop }: Running): Promise<void> {
    for (;;) {
      const why = this.#options.blockedBy(task.queue);
      if (stop.signal.aborted) return; // its reason stays
      task.state = why === null ? 'running' : 'waiting';
      task.why = why;
      if (why === null) return;
      await sleep(this.#options.clock, LOOK_MS, stop.signal);
    }
  }

  async #purgeAll(
    { task, stop }: Running,
    { ids, reason }: LetterTaskOrder & { kind: 'purge' },
  ): Promise<void> {
    for (let from = 0; from < ids.length; from += PURGE_CHUNK) {
      stop.signal.throwIfAborted();
      const chunk = ids.slice(from, from + PURGE_CHUNK);
      const purged = await this.#options.purge(chunk, reason);
      task.done += purged;
      task.skipped += chunk.length - purged;
      await new Promise((resolve) => setImmediate(resolve)); // the work goes on beside it
    }
  }
}
