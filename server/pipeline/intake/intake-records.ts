import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { Logger } from '../../logging.ts';
import { AppendLog } from './append-log.ts';
import { syncFolder } from './durable-file.ts';
import { isUploadId } from './upload-id.ts';

/** What is written down, and fsynced, before an upload gets its positive answer. */
export interface IntakeRecord {
  readonly id: string;
  readonly camera: string;
  /** Name that the camera gave it. */
  readonly name: string;
  /** Lower case, without the dot. */
  readonly extension: string;
  readonly sizeBytes: number;
  /** Epoch ms. */
  readonly acceptedAt: number;
  readonly traceId: string;
}

interface Segment {
  readonly path: string;
  oldestAt: number;
  newestAt: number;
  count: number;
}

const SEGMENT_RECORDS = 10_000;
const CACHED_RECORDS = 20_000;

/**
 * The accepted uploads, as JSON lines in segment files; in memory an index of id and time only, so that a million
 * uploads cost about a hundred megabytes.
 *
 * A torn last line belongs to an upload that was never answered: it is cut off. A line that cannot be read anywhere
 * else sets `damaged`: then an inbox file without a record may be one whose record was spoilt.
 */
export class IntakeRecords {
  readonly #directory: string;
  readonly #logger: Logger;
  readonly #segmentRecords: number;
  readonly #acceptedAt = new Map<string, number>();
  readonly #recent = new LRUCache<string, IntakeRecord>({ max: CACHED_RECORDS });
  readonly #segments: Segment[] = [];
  #log: AppendLog | undefined;
  #rotation: Promise<AppendLog> | undefined;
  #damaged = false;

  constructor(directory: string, logger: Logger, segmentRecords = SEGMENT_RECORDS) {
    this.#directory = directory;
    this.#logger = logger;
    this.#segmentRecords = segmentRecords;
  }

  /** Ids with the time of acceptance; a live view. */
  get ids(): ReadonlyMap<string, number> {
    return this.#acceptedAt;
  }

  get damaged(): boolean {
    return this.#damaged;
  }

  async open(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const names = (await readdir(this.#directory))
      .filter((name) => /^records-\d{8}\.jsonl$/.test(name))
      .sort();
    for (const name of names) {
      const path = join(this.#directory, name);
      const isLast = name === names.at(-1);
      if (isLast) this.#log = await AppendLog.open(path);
      await this.#load(path);
    }
  }

  /** @throws what the disk says; the upload is then not on record */
  async append(record: IntakeRecord): Promise<void> {
    const log = await this.#writable();
    const segment = this.#segments.at(-1);
    if (segment) segment.count++; // before the wait, so that one segment never takes more than its share
    await log.append(JSON.stringify(record));
    const home = this.#segments.find(({ path }) => path === log.path);
    if (home) widen(home, record.acceptedAt);
    this.#acceptedAt.set(record.id, record.acceptedAt);
    this.#recent.set(record.id, record);
  }

  async find(id: string): Promise<IntakeRecord | undefined> {
    const acceptedAt = this.#acceptedAt.get(id);
    if (acceptedAt === undefined) return undefined;
    const known = this.#recent.get(id);
    if (known) return known;
    for (const segment of this.#segments) {
      if (acceptedAt < segment.oldestAt || acceptedAt > segment.newestAt) continue;
      const text = await readFile(segment.path, 'utf8');
      const at = text.indexOf(`{"id":"${id}"`);
      if (at < 0) continue;
      const record = parseRecord(text.slice(at, text.indexOf('\n', at)));
      if (record) this.#recent.set(id, record);
      return record;
    }
    return undefined;
  }

  async close(): Promise<void> {
    await this.#rotation?.catch(() => {});
    await this.#log?.close();
    this.#log = undefined;
  }

  async #writable(): Promise<AppendLog> {
    if (this.#rotation !== undefined) return this.#rotation;
    const segment = this.#segments.at(-1);
    if (this.#log && segment && segment.count < this.#segmentRecords) return this.#log;
    this.#rotation = this.#rotate().finally(() => {
      this.#rotation = undefined;
    });
    return this.#rotation;
  }

  async #rotate(): Promise<AppendLog> {
    const last = this.#segments.at(-1)?.path.match(/(\d{8})\.jsonl$/)?.[1] ?? '0';
    const path = join(this.#directory, `records-${String(Number(last) + 1).padStart(8, '0')}.jsonl`);
    const log = await AppendLog.open(path);
    await syncFolder(this.#directory);
    const previous = this.#log;
    this.#log = log;
    this.#segments.push({ path, oldestAt: Number.POSITIVE_INFINITY, newestAt: 0, count: 0 });
    await previous?.close(); // waits for what is still being written to it
    return log;
  }

  async #load(path: string): Promise<void> {
    const segment: Segment = { path, oldestAt: Number.POSITIVE_INFINITY, newestAt: 0, count: 0 };
    const lines = (await readFile(path, 'utf8')).split('\n');
    for (const [index, line] of lines.entries()) {
      if (line === '') continue;
      const record = parseRecord(line);
      if (!record) {
        this.#damaged = true;
        this.#logger.error({ path, line: index + 1 }, 'intake record cannot be read');
        continue;
      }
      segment.count++;
      widen(segment, record.acceptedAt);
      this.#acceptedAt.set(record.id, record.acceptedAt);
      this.#recent.set(record.id, record);
    }
    this.#segments.push(segment);
  }
}

function widen(segment: Segment, acceptedAt: number): void {
  segment.oldestAt = Math.min(segment.oldestAt, acceptedAt);
  segment.newestAt = Math.max(segment.newestAt, acceptedAt);
}

function parseRecord(line: string): IntakeRecord | undefined {
  try {
    const record = JSON.parse(line) as Partial<IntakeRecord> | null;
    const isWhole =
      typeof record?.id === 'string' &&
      isUploadId(record.id) &&
      typeof record.camera === 'string' &&
      typeof record.name === 'string' &&
      typeof record.extension === 'string' &&
      typeof record.sizeBytes === 'number' &&
      typeof record.acceptedAt === 'number' &&
      typeof record.traceId === 'string';
    return isWhole ? (record as IntakeRecord) : undefined;
  } catch {
    return undefined;
  }
}
