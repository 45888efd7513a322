import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { mkdir, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, systemClock } from '../clock.ts';
import { emitSafely } from '../emit.ts';
import { ChaosError } from '../errors.ts';
import { AppendLog, syncFolder } from '../storage/append-log.ts';
import { BODY_MAX, type DeadLetter, type DeadLetterInput, deadLetterId } from './dead-letter.ts';
import {
  LETTERS_FILE,
  readRecords,
  type StoreRecord,
  type UnreadableLine,
  writeLetters,
} from './letter-file.ts';
import { type Kept, LetterIndex } from './letter-index.ts';
import { signatureOf } from './signature.ts';

export interface DeadLetterStoreOptions {
  /** Most letters that wait; beyond it `put` refuses, and the job stays where it was. @default 100 000 */
  max: number;
  /** Most re-driven letters remembered; the history of older ones is forgotten. @default 10 000 */
  redrivenMax: number;
  /** Lines beyond those needed after which the file is written anew, at least half as many as are needed. @default 5000 */
  compactAfter: number;
  /** Told of lines that could not be read at the start; they are kept in `unreadable.jsonl`. @default nothing */
  onUnreadable: (line: UnreadableLine) => void;
  /** @default systemClock */
  clock: Clock;
}

export const DEAD_LETTER_STORE_DEFAULTS: DeadLetterStoreOptions = {
  max: 100_000,
  redrivenMax: 10_000,
  compactAfter: 5000,
  onUnreadable: () => {},
  clock: systemClock,
};

export interface DeadLetterFilter {
  readonly queue?: string | undefined;
  readonly faultId?: string | undefined;
  readonly signature?: string | undefined;
}

export interface DeadLetterPage {
  items: DeadLetter[];
  /** Give it to the next `list`; null at the end. */
  nextCursor: string | null;
  /** Letters that the filter lets through, on all pages. */
  total: number;
}

export interface DeadLetterStatus {
  count: number;
  byQueue: Record<string, number>;
  newestAt: number | null;
  /** Newest first, at most 5. */
  newest: { id: string; queue: string; error: string; at: number; uploadId: string | null }[];
}

export interface DeadLetterEvents {
  /** A letter is waiting that was not before: a new one, or one that failed again after its re-drive. */
  deadLettered: [{ letter: DeadLetter; at: number }];
  redriven: [{ letter: DeadLetter; at: number }];
  purged: [{ letter: DeadLetter; reason: string; at: number }];
  resolved: [{ letter: DeadLetter; by: string; at: number }];
}

const DELAYS_KEPT = 50;
const NEWEST_TOLD = 5;
/**
 * Dead letters in one append-only JSONL file, each line on disk before its call resolves.
 *
 * A letter is *waiting* until it is re-driven, purged or resolved. A re-driven one is kept out of sight, so that the
 * same job failing again is the same letter with its history; resolving it is the end.
 */
export class DeadLetterStore extends EventEmitter<DeadLetterEvents> {
  readonly #folder: string;
  readonly #options: DeadLetterStoreOptions;
  readonly #index = new LetterIndex();
  /** Of this life of the store: orders are counted anew in each. */
  readonly #life = randomUUID().slice(0, 8);
  #log: AppendLog;
  #lines = 0;
  /** Being given back to their queue now. */
  readonly #redriving = new Set<string>();
  /** Writes happen one after the other, so that memory and file agree. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(folder: string, options: DeadLetterStoreOptions, log: AppendLog) {
    super();
    this.#folder = folder;
    this.#options = options;
    this.#log = log;
  }

  /** Opens the folder, made when absent. A line cut off by a crash is cut from the file, kept aside and told. */
  static async open(folder: string, options: Partial<DeadLetterStoreOptions> = {}): Promise<DeadLetterStore> {
    const settings = { ...DEAD_LETTER_STORE_DEFAULTS, ...options };
    if (!(Number.isInteger(settings.max) && settings.max >= 1)) {
      throw new RangeError(`Expected max to be a whole number from 1, got ${settings.max}`);
    }
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rm(join(folder, `${LETTERS_FILE}.new`), { force: true });
    const path = join(folder, LETTERS_FILE);
    const { records, unreadable, wholeBytes, lineCount } = await readRecords(folder);
    const store = new DeadLetterStore(folder, settings, await AppendLog.open(path, wholeBytes));
    for (const record of records) store.#apply(record);
    store.#lines = lineCount;
    // Written anew without the damaged lines, so that each is told once.
    if (unreadable.some((line) => line.why === 'invalid') || store.#wasteful()) await store.#compact();
    for (const line of unreadable) settings.onUnreadable(line);
    return store;
  }

  /** Letters that wait. */
  get size(): number {
    return this.#index.waiting;
  }

  /**
   * Keeps a letter; resolves once it is on disk. The key of a waiting letter again changes nothing; the key of a
   * re-driven one makes it wait again, with its attempts added up.
   * @throws {ChaosError} QUEUE_FULL at `max` letters, STORE_UNAVAILABLE when the disk cannot write
   */
  put(input: DeadLetterInput): Promise<DeadLetter> {
    return this.#serially(async () => {
      const id = deadLetterId(input.key);
      const known = this.#index.get(id);
      const failedAgain = this.#redriving.delete(id);
      if (known?.waiting && !failedAgain) return known.letter;
      if (!known?.waiting && this.size >= this.#options.max) {
        throw new ChaosError('QUEUE_FULL', `The dead-letter store holds its ${this.#options.max} letters`);
      }
      const at = this.#options.clock.now();
      const letter = letterOf(id, input, known?.letter, at);
      if (failedAgain) letter.redrives++;
      await this.#write({ op: 'put', at, waiting: true, letter });
      emitSafely<DeadLetterEvents, 'deadLettered'>(this, 'deadLettered', { letter, at });
      return letter;
    });
  }

  /** Newest first. Looking changes nothing. */
  list(
    request: DeadLetterFilter & { readonly cursor?: string | undefined; readonly limit: number },
  ): DeadLetterPage {
    const before = request.cursor === undefined ? Number.POSITIVE_INFINITY : Number(request.cursor);
    const limit = Math.max(1, request.limit);
    const page: Kept[] = [];
    const all = isUnfiltered(request);
    let passed = 0;
    let more = false;
    // Without a filter the number is known, and nothing before the page need be looked at.
    for (const kept of this.#index.newestFirst(all ? before : undefined)) {
      if (!passes(kept.letter, request)) continue;
      passed++;
      if (kept.order >= before) continue;
      if (page.length < limit) page.push(kept);
      else more = true;
      if (more && all) break;
    }
    return {
      items: page.map(({ letter }) => letter),
      nextCursor: more ? String(page.at(-1)?.order) : null,
      total: all ? this.#index.waiting : passed,
    };
  }

  /** Stands for every letter that waits now: what arrives later, or again, is not among them. Good for this life only. */
  mark(): string {
    return `${this.#life}-${this.#index.newestOrder}`;
  }

  /** Whether this store, in this life, gave this mark. */
  knowsMark(mark: string): boolean {
    return Number.isFinite(this.#orderOf(mark));
  }

  /**
   * Letters that wait and pass, newest first, read as the caller asks for them; with a mark, those it stands for.
   * A mark of another life stands for none.
   */
  *matching(filter: DeadLetterFilter, mark?: string): Generator<DeadLetter> {
    const before = mark === undefined ? undefined : this.#orderOf(mark) + 1;
    for (const { letter } of this.#index.newestFirst(before)) if (passes(letter, filter)) yield letter;
  }

  /** Letters as lines of JSON, newest first, up to about `maxChars` at once. */
  lines(
    request: DeadLetterFilter & { readonly mark: string; readonly cursor?: string | undefined },
    maxChars: number,
  ): { text: string; nextCursor: string | null } {
    const from = Math.min(
      this.#orderOf(request.mark) + 1,
      Number(request.cursor ?? Number.POSITIVE_INFINITY),
    );
    const lines: string[] = [];
    let chars = 0;
    let last = 0;
    for (const { order, letter } of this.#index.newestFirst(from)) {
      if (!passes(letter, request)) continue;
      if (chars >= maxChars) return { text: lines.join(''), nextCursor: String(last) };
      const line = `${JSON.stringify(letter)}\n`;
      lines.push(line);
      chars += line.length;
      last = order;
    }
    return { text: lines.join(''), nextCursor: null };
  }

  /** A letter that waits. */
  get(id: string): DeadLetter | undefined {
    const kept = this.#index.get(id);
    return kept?.waiting ? kept.letter : undefined;
  }

  /** Whether a letter waits and is not being given back: a schedule of its job that is still somewhere is void. */
  holds(id: string): boolean {
    return this.get(id) !== undefined && !this.#redriving.has(id);
  }

  /** Upload ids of the letters that wait, for the ledger. */
  ids(): ReadonlySet<string> {
    const ids = new Set<string>();
    for (const { letter } of this.#index.newestFirst())
      if (letter.uploadId !== null) ids.add(letter.uploadId);
    return ids;
  }

  /**
   * Gives a waiting letter back: `give` puts its job into the queue, then the letter is re-driven. A job that fails
   * again before `give` has returned makes it wait with its history. False when no such letter waits, or it is being
   * given back already.
   * @throws what `give` throws; the letter then waits as before
   */
  async redrive(id: string, give: (letter: DeadLetter) => Promise<void>): Promise<boolean> {
    const letter = this.get(id);
    if (!letter || this.#redriving.has(id)) return false;
    this.#redriving.add(id);
    try {
      await give(letter);
      if (this.#redriving.has(id)) await this.markRedriven(id);
    } finally {
      this.#redriving.delete(id);
    }
    return true;
  }

  /** Call it once the queue holds the job again; prefer `redrive`, which cannot be overtaken by the job. False when no such letter waits. */
  markRedriven(id: string): Promise<boolean> {
    return this.#serially(async () => {
      const letter = this.get(id);
      if (!letter) return false;
      const at = this.#options.clock.now();
      await this.#write({ op: 'redriven', at, id });
      emitSafely<DeadLetterEvents, 'redriven'>(this, 'redriven', { letter, at });
      return true;
    });
  }

  /** Removes a waiting letter for good. False when there is none. */
  purge(id: string, reason: string): Promise<boolean> {
    return this.#serially(async () => {
      const letter = this.get(id);
      if (!letter) return false;
      const at = this.#options.clock.now();
      await this.#write({ op: 'purged', at, id, reason });
      emitSafely<DeadLetterEvents, 'purged'>(this, 'purged', { letter, reason, at });
      return true;
    });
  }

  /**
   * Removes those of `ids` that wait and are not being given back, with one write. Who asks for many tells of them as
   * one: no event is emitted.
   * @returns how many were removed
   */
  purgeMany(ids: readonly string[], reason: string): Promise<number> {
    return this.#serially(async () => {
      const held = ids.filter((id) => this.holds(id));
      const at = this.#options.clock.now();
      await this.#write(...held.map((id) => ({ op: 'purged' as const, at, id, reason })));
      return held.length;
    });
  }

  /** The work was done after all, by `by` (an upload's or a job's id). False when the letter is unknown. */
  markResolved(id: string, by: string): Promise<boolean> {
    return this.#serially(async () => {
      const letter = this.#index.get(id)?.letter;
      if (!letter) return false;
      const at = this.#options.clock.now();
      await this.#write({ op: 'resolved', at, id, by });
      emitSafely<DeadLetterEvents, 'resolved'>(this, 'resolved', { letter, by, at });
      return true;
    });
  }

  /** The sender of what failed tried again, and this upload was accepted. False when the letter is unknown. */
  link(id: string, resentAs: string): Promise<boolean> {
    return this.#serially(async () => {
      if (!this.#index.get(id)) return false;
      await this.#write({ op: 'linked', at: this.#options.clock.now(), id, resentAs });
      return true;
    });
  }

  /** Letters of an upload, re-driven ones included: what to resolve when the upload is stored. */
  idsOfUpload(uploadId: string): string[] {
    return this.#index.idsOfUpload(uploadId);
  }

  status(): DeadLetterStatus {
    const newest: DeadLetterStatus['newest'] = [];
    for (const { letter } of this.#index.newestFirst()) {
      const { id, queue, error, lastFailedAt, uploadId } = letter;
      newest.push({ id, queue, error: error.message, at: lastFailedAt, uploadId });
      if (newest.length === NEWEST_TOLD) break;
    }
    return {
      count: this.#index.waiting,
      byQueue: this.#index.byQueue(),
      newestAt: newest[0]?.at ?? null,
      newest,
    };
  }

  /** Waits for what was asked, then closes the file. */
  close(): Promise<void> {
    return this.#serially(() => this.#log.close());
  }

  /** NaN for a mark of another life. */
  #orderOf(mark: string): number {
    const [life, order] = mark.split('-');
    return life === this.#life ? Number(order) : Number.NaN;
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work, work);
    this.#last = next.catch(() => {});
    return next;
  }

  async #write(...records: StoreRecord[]): Promise<void> {
    if (records.length === 0) return;
    if (this.#log.broken) await this.#compact(); // its end is not known: a new file from what memory holds
    await this.#log.append(records.map((record) => `${JSON.stringify(record)}\n`).join(''), true);
    this.#lines += records.length;
    for (const record of records) this.#apply(record);
    if (this.#wasteful()) await this.#compact().catch(() => {}); // tried again with the next write
  }

  #apply(record: StoreRecord): void {
    if (record.op === 'put') {
      this.#index.put(record.letter, record.waiting);
      return;
    }
    const letter = this.#index.get(record.id)?.letter;
    if (!letter) return;
    switch (record.op) {
      case 'linked':
        this.#index.replace({ ...letter, resentAs: record.resentAs });
        break;
      case 'redriven':
        this.#index.hide({ ...letter, redrives: letter.redrives + 1 });
        this.#index.forgetRedriven(this.#options.redrivenMax);
        break;
      case 'purged':
      case 'resolved':
        this.#index.remove(record.id);
        break;
    }
  }

  #wasteful(): boolean {
    const needed = this.#index.size;
    return this.#lines > needed + Math.max(this.#options.compactAfter, Math.floor(needed / 2));
  }

  /** Writes what is needed into a new file and puts it in the place of the old one. */
  async #compact(): Promise<void> {
    const path = join(this.#folder, LETTERS_FILE);
    const fresh = `${path}.new`;
    const kept = this.#index.all();
    let sizeBytes = 0;
    try {
      sizeBytes = await writeLetters(fresh, kept, this.#options.clock.now());
      await rename(fresh, path);
    } catch (error) {
      await unlink(fresh).catch(() => {});
      throw error;
    }
    await syncFolder(this.#folder);
    const old = this.#log;
    this.#log = await AppendLog.open(path, sizeBytes);
    this.#lines = kept.length;
    await old.close();
  }
}

function isUnfiltered({ queue, faultId, signature }: DeadLetterFilter): boolean {
  return queue === undefined && faultId === undefined && signature === undefined;
}

function passes(letter: DeadLetter, { queue, faultId, signature }: DeadLetterFilter): boolean {
  if (queue !== undefined && letter.queue !== queue) return false;
  if (faultId !== undefined && !letter.faultIds.includes(faultId)) return false;
  return signature === undefined || letter.signature === signature;
}

function letterOf(
  id: string,
  input: DeadLetterInput,
  earlier: DeadLetter | undefined,
  now: number,
): DeadLetter {
  const { code, message, status, body } = input.error;
  const error = {
    code,
    message,
    ...(status === undefined ? {} : { status }),
    ...(body === undefined ? {} : { body: body.slice(0, BODY_MAX) }),
  };
  return {
    id,
    queue: input.queue,
    uploadId: input.uploadId,
    error,
    attempts: (earlier?.attempts ?? 0) + (input.attempts ?? 1),
    delaysMs: [...(earlier?.delaysMs ?? []), ...(input.delaysMs ?? [])].slice(-DELAYS_KEPT),
    firstFailedAt: earlier?.firstFailedAt ?? input.firstFailedAt ?? now,
    lastFailedAt: input.lastFailedAt ?? now,
    faultIds: [...new Set([...(earlier?.faultIds ?? []), ...(input.faultIds ?? [])])],
    traceId: input.traceId,
    signature: signatureOf(input.error),
    payload: input.payload,
    redrives: earlier?.redrives ?? 0,
  };
}
