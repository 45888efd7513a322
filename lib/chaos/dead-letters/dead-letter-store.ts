import { EventEmitter } from 'node:events';
import { mkdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Clock, systemClock } from '../clock.ts';
import { emitSafely } from '../emit.ts';
import { ChaosError } from '../errors.ts';
import { AppendLog, syncFolder } from '../storage/append-log.ts';
import {
  BODY_MAX,
  type DeadLetter,
  type DeadLetterInput,
  deadLetterId,
  deadLetterSchema,
} from './dead-letter.ts';
import { signatureOf } from './signature.ts';

export interface DeadLetterStoreOptions {
  /** Most letters that wait, and most re-driven ones remembered; beyond it `put` refuses, and the job stays where it was. @default 10 000 */
  max: number;
  /** Lines beyond those needed after which the file is written anew. @default 5000 */
  compactAfter: number;
  /** Told of lines that could not be read at the start; they are kept in `unreadable.jsonl`. @default nothing */
  onUnreadable: (line: { number: number; why: 'torn' | 'invalid'; text: string }) => void;
  /** @default systemClock */
  clock: Clock;
}

export const DEAD_LETTER_STORE_DEFAULTS: DeadLetterStoreOptions = {
  max: 10_000,
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

const recordSchema = z.discriminatedUnion('op', [
  /** The letter as it is from now on. `waiting` is false while it is back in its queue. */
  z.object({ op: z.literal('put'), at: z.number(), waiting: z.boolean(), letter: deadLetterSchema }),
  z.object({ op: z.literal('redriven'), at: z.number(), id: z.string() }),
  z.object({ op: z.literal('purged'), at: z.number(), id: z.string(), reason: z.string() }),
  z.object({ op: z.literal('resolved'), at: z.number(), id: z.string(), by: z.string() }),
  z.object({ op: z.literal('linked'), at: z.number(), id: z.string(), resentAs: z.string() }),
]);
type StoreRecord = z.infer<typeof recordSchema>;

interface Kept {
  /** Grows with each arrival; pages are ordered by it, newest first. */
  readonly order: number;
  readonly letter: DeadLetter;
  readonly waiting: boolean;
}

const DELAYS_KEPT = 50;

/**
 * Dead letters in one append-only JSONL file, each line on disk before its call resolves.
 *
 * A letter is *waiting* until it is re-driven, purged or resolved. A re-driven one is kept out of sight, so that the
 * same job failing again is the same letter with its history; resolving it is the end.
 */
export class DeadLetterStore extends EventEmitter<DeadLetterEvents> {
  readonly #folder: string;
  readonly #options: DeadLetterStoreOptions;
  readonly #kept = new Map<string, Kept>();
  #log: AppendLog;
  #lines = 0;
  #order = 0;
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
    await rm(join(folder, 'letters.jsonl.new'), { force: true });
    const path = join(folder, 'letters.jsonl');
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    });
    const wholeBytes = bytes.lastIndexOf(0x0a) + 1;
    const torn = bytes.subarray(wholeBytes).toString();
    const lines = bytes.subarray(0, wholeBytes).toString().split('\n').slice(0, -1);
    const unreadable: { number: number; why: 'torn' | 'invalid'; text: string }[] = [];
    if (torn !== '') unreadable.push({ number: lines.length + 1, why: 'torn', text: torn });
    const records: StoreRecord[] = [];
    for (const [index, text] of lines.entries()) {
      const record = parseRecord(text);
      if (record) records.push(record);
      else unreadable.push({ number: index + 1, why: 'invalid', text });
    }
    if (unreadable.length > 0) {
      const aside = unreadable.map((line) => `${JSON.stringify(line)}\n`).join('');
      await writeFile(join(folder, 'unreadable.jsonl'), aside, { flag: 'a', mode: 0o600, flush: true });
    }
    const store = new DeadLetterStore(folder, settings, await AppendLog.open(path, wholeBytes));
    for (const record of records) store.#apply(record);
    store.#lines = lines.length;
    // Written anew without the damaged lines, so that each is told once.
    if (unreadable.some((line) => line.why === 'invalid') || store.#wasteful()) await store.#compact();
    for (const line of unreadable) settings.onUnreadable(line);
    return store;
  }

  /** Letters that wait. */
  get size(): number {
    return this.#waiting().length;
  }

  /**
   * Keeps a letter; resolves once it is on disk. The key of a waiting letter again changes nothing; the key of a
   * re-driven one makes it wait again, with its attempts added up.
   * @throws {ChaosError} QUEUE_FULL at `max` letters, STORE_UNAVAILABLE when the disk cannot write
   */
  put(input: DeadLetterInput): Promise<DeadLetter> {
    return this.#serially(async () => {
      const id = deadLetterId(input.key);
      const known = this.#kept.get(id);
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
    const all = this.#waiting()
      .filter(({ letter }) => passes(letter, request))
      .sort((a, b) => b.order - a.order);
    const rest = all.filter(({ order }) => order < before);
    const page = rest.slice(0, Math.max(1, request.limit));
    const last = page.at(-1);
    return {
      items: page.map(({ letter }) => letter),
      nextCursor: last && rest.length > page.length ? String(last.order) : null,
      total: all.length,
    };
  }

  /** A letter that waits. */
  get(id: string): DeadLetter | undefined {
    const kept = this.#kept.get(id);
    return kept?.waiting ? kept.letter : undefined;
  }

  /** Whether a letter waits and is not being given back: a schedule of its job that is still somewhere is void. */
  holds(id: string): boolean {
    return this.get(id) !== undefined && !this.#redriving.has(id);
  }

  /** Upload ids of the letters that wait, for the ledger. */
  ids(): ReadonlySet<string> {
    const ids = this.#waiting().map(({ letter }) => letter.uploadId);
    return new Set(ids.filter((id) => id !== null));
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

  /** The work was done after all, by `by` (an upload's or a job's id). False when the letter is unknown. */
  markResolved(id: string, by: string): Promise<boolean> {
    return this.#serially(async () => {
      const letter = this.#kept.get(id)?.letter;
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
      if (!this.#kept.has(id)) return false;
      await this.#write({ op: 'linked', at: this.#options.clock.now(), id, resentAs });
      return true;
    });
  }

  /** Letters of an upload, re-driven ones included: what to resolve when the upload is stored. */
  idsOfUpload(uploadId: string): string[] {
    return [...this.#kept.values()]
      .filter(({ letter }) => letter.uploadId === uploadId)
      .map(({ letter }) => letter.id);
  }

  status(): DeadLetterStatus {
    const newest = this.#waiting().sort((a, b) => b.order - a.order);
    const byQueue: Record<string, number> = {};
    for (const { letter } of newest) byQueue[letter.queue] = (byQueue[letter.queue] ?? 0) + 1;
    return {
      count: newest.length,
      byQueue,
      newestAt: newest[0]?.letter.lastFailedAt ?? null,
      newest: newest.slice(0, 5).map(({ letter }) => ({
        id: letter.id,
        queue: letter.queue,
        error: letter.error.message,
        at: letter.lastFailedAt,
        uploadId: letter.uploadId,
      })),
    };
  }

  /** Waits for what was asked, then closes the file. */
  close(): Promise<void> {
    return this.#serially(() => this.#log.close());
  }

  #waiting(): Kept[] {
    return [...this.#kept.values()].filter((kept) => kept.waiting);
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work, work);
    this.#last = next.catch(() => {});
    return next;
  }

  async #write(record: StoreRecord): Promise<void> {
    if (this.#log.broken) await this.#compact(); // its end is not known: a new file from what memory holds
    await this.#log.append(`${JSON.stringify(record)}\n`, true);
    this.#lines++;
    this.#apply(record);
    if (this.#wasteful()) await this.#compact().catch(() => {}); // tried again with the next write
  }

  #apply(record: StoreRecord): void {
    if (record.op === 'put') {
      const { letter, waiting } = record;
      this.#kept.set(letter.id, { order: ++this.#order, letter, waiting });
      return;
    }
    const kept = this.#kept.get(record.id);
    if (!kept) return;
    if (record.op === 'linked') {
      this.#kept.set(record.id, { ...kept, letter: { ...kept.letter, resentAs: record.resentAs } });
      return;
    }
    if (record.op !== 'redriven') {
      this.#kept.delete(record.id);
      return;
    }
    const letter = { ...kept.letter, redrives: kept.letter.redrives + 1 };
    this.#kept.set(record.id, { ...kept, letter, waiting: false });
    const redriven = [...this.#kept.values()].filter((each) => !each.waiting);
    for (const each of redriven.slice(0, -this.#options.max)) this.#kept.delete(each.letter.id);
  }

  #wasteful(): boolean {
    return this.#lines > this.#kept.size + this.#options.compactAfter;
  }

  /** Writes what is needed into a new file and puts it in the place of the old one. */
  async #compact(): Promise<void> {
    const path = join(this.#folder, 'letters.jsonl');
    const fresh = `${path}.new`;
    const at = this.#options.clock.now();
    const kept = [...this.#kept.values()].sort((a, b) => a.order - b.order);
    const lines = kept.map(({ letter, waiting }) => JSON.stringify({ op: 'put', at, waiting, letter }));
    const text = lines.map((line) => `${line}\n`).join('');
    try {
      await writeFile(fresh, text, { mode: 0o600, flush: true });
      await rename(fresh, path);
    } catch (error) {
      await unlink(fresh).catch(() => {});
      throw error;
    }
    await syncFolder(this.#folder);
    const old = this.#log;
    this.#log = await AppendLog.open(path, Buffer.byteLength(text));
    this.#lines = kept.length;
    await old.close();
  }
}

function parseRecord(text: string): StoreRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
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
