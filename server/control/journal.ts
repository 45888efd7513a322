import { closeSync, fdatasync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Fact } from '../../lib/protocol/facts.ts';
import type { ServiceName } from '../../lib/protocol/faults.ts';
import type { Logger } from '../logging.ts';

/** A fault that may be acting somewhere: written before it is armed, so that a crash cannot hide it. */
export interface Intent {
  id: string;
  service: ServiceName;
  type: string;
  by: string;
}

export interface Halted {
  at: number;
  by: string;
  reason: string;
}

/** One line of the file. `key` is the sender's, to recognise a repeated delivery after a restart. */
export type JournalLine =
  | { kind: 'fact'; fact: Fact; key?: string | undefined }
  | { kind: 'arming'; intent: Intent }
  | { kind: 'notArmed'; id: string }
  | { kind: 'halting'; halted: Halted }
  | { kind: 'checkpoint'; seq: number; open: Intent[]; halted: Halted | null };

export interface JournalOptions {
  dir: string;
  logger: Logger;
  /** A segment is closed beyond this many bytes. @default 8 MiB */
  segmentBytes?: number;
  /** Segments kept, the newest. @default 32 */
  maxSegments?: number;
}

/** Lines parsed in one turn of the event loop; a few milliseconds. */
const LINES_PER_TURN = 1000;
const SEGMENT = /^(\d{12})\.jsonl$/;

/** What the files said at the start. */
export interface JournalContents {
  /** The newest facts, oldest first, with their keys. */
  facts: { fact: Fact; key: string | undefined }[];
  seq: number;
  /** Faults that were armed, or being armed, when the last line was written. */
  open: Intent[];
  halted: Halted | null;
}

/**
 * The append-only record of the control process: one JSON line an entry, in segments.
 *
 * `append` hands the line to the operating system before it returns, so that it survives the death of this process;
 * `sync` resolves once everything appended before is on the disk. A line cut short by a crash is removed at the next
 * start. Each segment begins with a checkpoint, so that old ones can go.
 */
export class Journal {
  readonly #options: Required<JournalOptions>;
  #segments: string[] = [];
  #fd = -1;
  #sizeBytes = 0;
  #seq = 0;
  #open = new Map<string, Intent>();
  #halted: Halted | null = null;
  #syncing: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #closed = false;

  private constructor(options: JournalOptions) {
    this.#options = { segmentBytes: 8 * 1024 * 1024, maxSegments: 32, ...options };
  }

  /** Reads what is there, keeping the newest `keep` facts, and opens it for appending. */
  static async open(options: JournalOptions, keep: number): Promise<[Journal, JournalContents]> {
    await mkdir(options.dir, { recursive: true });
    const journal = new Journal(options);
    const names = (await readdir(options.dir)).filter((name) => SEGMENT.test(name)).sort();
    journal.#segments = names;
    const facts = journal.#load(keep);
    journal.#openSegment();
    return [
      journal,
      { facts, seq: journal.#seq, open: [...journal.#open.values()], halted: journal.#halted },
    ];
  }

  /** @throws what the file system says; the line is then not written */
  append(line: JournalLine): void {
    if (this.#closed) throw new Error('The journal is closed');
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
    } catch (error) {
      if (written > 0) ftruncateSync(this.#fd, this.#sizeBytes); // half a line would swallow the next one
      throw error;
    }
    this.#sizeBytes += bytes.length;
    this.#track(line);
    if (this.#sizeBytes > this.#options.segmentBytes) this.#rotate();
  }

  /** Resolves once everything appended so far is on the disk. Calls during a running sync share the next one. */
  sync(): Promise<void> {
    if (!this.#syncing) {
      this.#syncing = this.#syncOnce();
      return this.#syncing;
    }
    this.#queued ??= this.#syncing
      .catch(() => {})
      .then(() => {
        this.#queued = undefined;
        this.#syncing = this.#syncOnce();
        return this.#syncing;
      });
    return this.#queued;
  }

  /** Facts with a `seq` above `after`, oldest first, from the files. */
  read(after: number, limit: number): Fact[] {
    const start = this.#segments.findLastIndex((name) => firstSeqOf(name) <= after + 1);
    const facts: Fact[] = [];
    for (const name of this.#segments.slice(Math.max(0, start))) {
      for (const line of this.#lines(name)) {
        if (line.kind === 'fact' && line.fact.seq > after) facts.push(line.fact);
        if (facts.length >= limit) return facts;
      }
    }
    return facts;
  }

  /**
   * Facts from the files, the oldest first, some at a time, so that the loop stays free. Begins one segment before the
   * first that was still written to at `sinceAt` (epoch ms).
   */
  async *slices(sinceAt: number): AsyncGenerator<Fact[]> {
    const paths = this.#segments.map((name) => join(this.#options.dir, name));
    const writtenAt = await Promise.all(
      paths.map((path) =>
        stat(path).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0, // removed by a rotation
        ),
      ),
    );
    const first = writtenAt.findIndex((at) => at >= sinceAt);
    for (const path of paths.slice(Math.max(0, (first < 0 ? paths.length : first) - 1))) {
      const text = await readFile(path, 'utf8').catch(() => '');
      const rows = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
      for (let start = 0; start < rows.length; start += LINES_PER_TURN) {
        yield factsOf(rows.slice(start, start + LINES_PER_TURN));
        await nextTurn();
      }
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.sync().catch(() => {});
    await this.#queued?.catch(() => {});
    this.#closed = true;
    closeSync(this.#fd);
  }

  #syncOnce(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      fdatasync(this.#fd, (error) => {
        this.#syncing = undefined;
        if (error) reject(error);
        else resolve();
      });
    });
  }

  #load(keep: number): JournalContents['facts'] {
    const bySegment: JournalLine[][] = [];
    let kept = 0;
    let stateFound = false;
    for (const name of [...this.#segments].reverse()) {
      if (stateFound && kept >= keep) break;
      const lines = this.#lines(name);
      kept += lines.length;
      bySegment.unshift(lines);
      // The newest checkpoint and what follows it carry the state; older segments only fill the memory with facts.
      if (!stateFound && lines[0]?.kind === 'checkpoint') {
        stateFound = true;
        for (const line of bySegment.flat()) this.#track(line);
      }
    }
    if (!stateFound) for (const line of bySegment.flat()) this.#track(line);
    return bySegment
      .flat()
      .flatMap((line) => (line.kind === 'fact' ? [{ fact: line.fact, key: line.key }] : []))
      .slice(-keep);
  }

  #lines(name: string): JournalLine[] {
    const lines: JournalLine[] = [];
    let unreadable = 0;
    const text = readFileSync(join(this.#options.dir, name), 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    for (const row of whole.split('\n')) {
      if (row === '') continue;
      try {
        lines.push(JSON.parse(row) as JournalLine);
      } catch {
        unreadable++;
      }
    }
    if (unreadable > 0) {
      this.#options.logger.warn({ segment: name, unreadable }, 'unreadable journal lines were skipped');
    }
    return lines;
  }

  #track(line: JournalLine): void {
    switch (line.kind) {
      case 'checkpoint':
        this.#seq = Math.max(this.#seq, line.seq);
        this.#open = new Map(line.open.map((intent) => [intent.id, intent]));
        this.#halted = line.halted;
        return;
      case 'arming':
        this.#open.set(line.intent.id, line.intent);
        return;
      case 'notArmed':
        this.#open.delete(line.id);
        return;
      case 'halting':
        this.#halted = line.halted;
        return;
      case 'fact':
        this.#seq = Math.max(this.#seq, line.fact.seq);
        if (line.fact.type === 'faultEnded') this.#open.delete(line.fact.data.faultId);
        if (line.fact.type === 'resumed') this.#halted = null;
        return;
    }
  }

  #openSegment(): void {
    const name = this.#segments.at(-1);
    if (name === undefined) {
      this.#startSegment();
      return;
    }
    const path = join(this.#options.dir, name);
    const text = readFileSync(path);
    const wholeBytes = text.lastIndexOf(0x0a) + 1;
    this.#fd = openSync(path, 'r+');
    if (wholeBytes < text.length) {
      this.#options.logger.warn(
        { segment: name, bytes: text.length - wholeBytes },
        'torn journal line removed',
      );
      ftruncateSync(this.#fd, wholeBytes);
    }
    closeSync(this.#fd);
    this.#fd = openSync(path, 'a');
    this.#sizeBytes = wholeBytes;
    if (wholeBytes === 0) this.append(this.#checkpoint());
  }

  #startSegment(): void {
    const name = `${String(this.#seq + 1).padStart(12, '0')}.jsonl`;
    this.#fd = openSync(join(this.#options.dir, name), 'a', 0o600);
    this.#segments.push(name);
    this.#sizeBytes = 0;
    this.append(this.#checkpoint());
  }

  #checkpoint(): JournalLine {
    return { kind: 'checkpoint', seq: this.#seq, open: [...this.#open.values()], halted: this.#halted };
  }

  #rotate(): void {
    const previous = this.#fd;
    fsyncSync(previous); // once in 8 MiB
    const inFlight = this.#syncing ?? Promise.resolve();
    this.#startSegment();
    void inFlight.catch(() => {}).then(() => closeSync(previous));
    const old = this.#segments.splice(0, Math.max(0, this.#segments.length - this.#options.maxSegments));
    for (const name of old) {
      rm(join(this.#options.dir, name), { force: true }).catch((error: unknown) => {
        this.#options.logger.warn({ err: error, segment: name }, 'old journal segment could not be removed');
      });
    }
  }
}

/** What is no fact, or unreadable, is passed over; the start has warned of it. */
function factsOf(rows: readonly string[]): Fact[] {
  return rows.flatMap((row) => {
    try {
      const line = JSON.parse(row) as JournalLine;
      return line.kind === 'fact' ? [line.fact] : [];
    } catch {
      return [];
    }
  });
}

function firstSeqOf(name: string): number {
  return Number(SEGMENT.exec(name)?.[1] ?? 0);
}
