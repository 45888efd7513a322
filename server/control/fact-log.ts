import { type Clock, systemClock } from '../../lib/chaos/clock.ts';
import type { Fact, FactData, FactDraft, FactType } from '../../lib/protocol/facts.ts';
import type { Logger } from '../logging.ts';
import { type Halted, type Intent, Journal } from './journal.ts';

export interface FactLogOptions {
  dir: string;
  logger: Logger;
  /** @default systemClock */
  clock?: Clock;
  /** Facts kept in memory. @default 10 000 */
  keep?: number;
  /** Longest time that a fact which nobody waits for stays out of the disk's hands, ms. @default 1000 */
  syncEveryMs?: number;
}

/**
 * The one ordered list of what happened: numbers facts, writes them to the journal, keeps the newest in memory and
 * tells its listeners.
 *
 * A fact is handed to the operating system before any listener sees it. When the disk refuses, facts still reach
 * the listeners (an operator must see them) and `failing` says so; whoever needs the record calls `sync`.
 */
export class FactLog {
  readonly #journal: Journal;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #keep: number;
  readonly #listeners = new Set<(fact: Fact) => void>();
  readonly #keys = new Set<string>();
  readonly #syncTimer: NodeJS.Timeout;
  #facts: Fact[] = [];
  #seq: number;
  #dirty = false;
  #failing: string | null = null;

  private constructor(journal: Journal, seq: number, options: FactLogOptions) {
    this.#journal = journal;
    this.#logger = options.logger;
    this.#clock = options.clock ?? systemClock;
    this.#keep = options.keep ?? 10_000;
    this.#seq = seq;
    this.#syncTimer = setInterval(() => {
      if (this.#dirty) this.sync().catch(() => {});
    }, options.syncEveryMs ?? 1000);
    this.#syncTimer.unref();
  }

  /** Opens the journal; `open` and `halted` are what the last run left behind. */
  static async open(
    options: FactLogOptions,
  ): Promise<{ log: FactLog; open: Intent[]; halted: Halted | null }> {
    const keep = options.keep ?? 10_000;
    const [journal, contents] = await Journal.open({ dir: options.dir, logger: options.logger }, keep);
    const log = new FactLog(journal, contents.seq, options);
    for (const { fact, key } of contents.facts) {
      log.#facts.push(fact);
      if (key !== undefined) log.#keys.add(key);
    }
    return { log, open: contents.open, halted: contents.halted };
  }

  /** Of the newest fact. */
  get seq(): number {
    return this.#seq;
  }

  /** Why the journal cannot be written; null while it can. */
  get failing(): string | null {
    return this.#failing;
  }

  tell<T extends FactType>(type: T, subject: string, data: FactData[T], key?: string): Fact {
    const fact = { seq: this.#seq + 1, at: this.#clock.now(), type, subject, data } as Fact;
    this.#seq = fact.seq;
    this.#write({ kind: 'fact', fact, key });
    this.#facts.push(fact);
    if (this.#facts.length > this.#keep * 1.1) this.#facts = this.#facts.slice(-this.#keep);
    this.#logger.info({ seq: fact.seq, fact: type, subject, data }, 'fact');
    for (const listener of this.#listeners) {
      try {
        listener(fact);
      } catch (error) {
        this.#logger.error({ err: error, seq: fact.seq }, 'a listener of facts failed');
      }
    }
    return fact;
  }

  /** Takes an agent's fact once, however often it is delivered. */
  receive(draft: FactDraft): void {
    if (this.#keys.has(draft.key)) return;
    this.#keys.add(draft.key);
    if (this.#keys.size > this.#keep * 2) {
      const oldest = this.#keys.values().next();
      if (!oldest.done) this.#keys.delete(oldest.value);
    }
    this.tell(draft.type, draft.subject, draft.data, draft.key);
  }

  arming(intent: Intent): void {
    this.#write({ kind: 'arming', intent });
  }

  notArmed(id: string): void {
    this.#write({ kind: 'notArmed', id });
  }

  halting(halted: Halted): void {
    this.#write({ kind: 'halting', halted });
  }

  /** Resolves once everything told so far is on the disk. @throws when it cannot be written */
  async sync(): Promise<void> {
    this.#dirty = false;
    if (this.#failing !== null) throw new Error(`The journal cannot be written: ${this.#failing}`);
    await this.#journal.sync();
  }

  /** Facts after `after`, at most `limit`, the oldest first; `gap` says that some of them are gone. */
  since(after: number, limit: number): { facts: Fact[]; gap: boolean } {
    const first = this.#facts[0]?.seq ?? this.#seq + 1;
    if (after > this.#seq) return { facts: this.latest(limit), gap: true };
    if (after + 1 >= first) {
      const start = this.#facts.findIndex((fact) => fact.seq > after);
      return { facts: start < 0 ? [] : this.#facts.slice(start, start + limit), gap: false };
    }
    const facts = this.#journal.read(after, limit);
    return { facts, gap: facts[0]?.seq !== after + 1 };
  }

  /** The newest facts, oldest first. */
  latest(limit: number): Fact[] {
    return this.#facts.slice(-limit);
  }

  /**
   * Facts, the oldest first, in slices: from memory when it reaches back to `sinceAt` (epoch ms), otherwise from the
   * files. The first ones may be older than that; when none is, the rest is gone.
   */
  async *slices(sinceAt: number): AsyncGenerator<readonly Fact[]> {
    const first = this.#facts[0];
    if (!first || first.seq === 1 || first.at <= sinceAt) yield this.#facts.slice();
    else yield* this.#journal.slices(sinceAt);
  }

  subscribe(listener: (fact: Fact) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    clearInterval(this.#syncTimer);
    await this.#journal.close();
  }

  #write(line: Parameters<Journal['append']>[0]): void {
    try {
      this.#journal.append(line);
      this.#dirty = true;
      this.#failing = null;
    } catch (error) {
      if (this.#failing === null) this.#logger.error({ err: error }, 'the journal cannot be written');
      this.#failing = error instanceof Error ? error.message : String(error);
    }
  }
}
