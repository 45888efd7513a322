import { mkdir, readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ChaosError } from '../errors.ts';
import { AppendLog, syncFolder } from '../storage/append-log.ts';
import { type DecodedLine, decodeLine, decodeLines, encodeLine } from '../storage/record-line.ts';
import type { FallbackJob } from './fallback-job.ts';
import type { FallbackTier } from './fallback-tier.ts';

/** A record that could not be read: set aside in `corrupt/`, told once, and never in the way of the others. */
export interface CorruptRecord {
  readonly segment: string;
  readonly offset: number;
  readonly lengthBytes: number;
  /** torn: cut off by a crash before it was acknowledged. */
  readonly why: 'torn' | 'checksum' | 'json';
  /** File that holds the damaged bytes. */
  readonly setAside: string;
}

export interface DiskTierOptions {
  /** Most jobs held. @default 10 000 */
  max: number;
  /** A segment that has grown to this is followed by another, bytes. @default 1 MiB */
  segmentBytes: number;
  /** @default nothing */
  onCorrupt: (record: CorruptRecord) => void;
}

export const DISK_TIER_DEFAULTS: DiskTierOptions = {
  max: 10_000,
  segmentBytes: 1024 * 1024,
  onCorrupt: () => {},
};

const recordSchema = z.union([
  z.strictObject({
    job: z.strictObject({
      id: z.string(),
      type: z.string(),
      payload: z.unknown(),
      traceId: z.string(),
      enqueuedAt: z.number(),
      attempts: z.number(),
    }),
  }),
  z.strictObject({ removed: z.array(z.string()) }),
]);

interface Segment {
  readonly number: number;
  readonly log: AppendLog;
  /** Jobs in it that are still held. A segment goes when it and all before it hold none. */
  live: number;
}

interface Entry {
  readonly segment: Segment;
  readonly enqueuedAt: number;
  /** Undefined until it is on disk. */
  place: { readonly offset: number; readonly lengthBytes: number } | undefined;
  readonly written: Promise<void>;
}

type Lookup = Pick<Entry, 'segment' | 'place'>;

/**
 * Jobs in append-only segments: one checksummed line a job, one line for jobs that have left.
 *
 *     00000001.log: job a, job b, removed [a]    00000002.log: job c, removed [b]   → holds c
 *
 * `push` resolves after fsync. Removals are not synced: after a crash a job may come again, which its id makes harmless.
 */
export class DiskTier<Payload = unknown> implements FallbackTier<Payload> {
  readonly name = 'disk';
  readonly max: number;
  readonly #folder: string;
  readonly #options: DiskTierOptions;
  /** In the order in which they came. */
  readonly #entries = new Map<string, Entry>();
  #segments: Segment[] = [];
  #rotating: Promise<Segment> | undefined;
  #closed = false;

  private constructor(folder: string, options: DiskTierOptions) {
    this.#folder = folder;
    this.#options = options;
    this.max = options.max;
  }

  /** Opens the folder, made when absent, and finds what it holds. */
  static async open<Payload = unknown>(
    folder: string,
    options: Partial<DiskTierOptions> = {},
  ): Promise<DiskTier<Payload>> {
    const settings = { ...DISK_TIER_DEFAULTS, ...options };
    for (const name of ['max', 'segmentBytes'] as const) {
      if (!(Number.isInteger(settings[name]) && settings[name] >= 1)) {
        throw new RangeError(`Expected ${name} to be a whole number from 1, got ${settings[name]}`);
      }
    }
    await mkdir(join(folder, 'corrupt'), { recursive: true, mode: 0o700 });
    const tier = new DiskTier<Payload>(folder, settings);
    const numbers = (await readdir(folder))
      .map((name) => Number(/^(\d{8})\.log$/.exec(name)?.[1]))
      .filter((number) => number > 0)
      .sort((a, b) => a - b);
    for (const number of numbers) await tier.#recover(number);
    await tier.#prune();
    return tier;
  }

  get size(): number {
    return this.#entries.size;
  }

  get oldestAt(): number | null {
    const [oldest] = this.#entries.values();
    return oldest?.enqueuedAt ?? null;
  }

  async push(job: FallbackJob<Payload>): Promise<void> {
    const segment = await this.#current();
    const held = this.#entries.get(job.id);
    if (held) return held.written;
    if (this.#entries.size >= this.max) {
      throw new ChaosError('QUEUE_FULL', `The disk tier holds its ${this.max} jobs`);
    }
    const { id, type, payload, traceId, enqueuedAt, attempts } = job;
    const line = encodeLine({ job: { id, type, payload, traceId, enqueuedAt, attempts } });
    const lengthBytes = Buffer.byteLength(line);
    segment.live++;
    const written = segment.log.append(line, true).then(
      (offset) => {
        entry.place = { offset, lengthBytes };
      },
      (error: unknown) => {
        this.#forget(id);
        throw error;
      },
    );
    const entry: Entry = { segment, enqueuedAt, place: undefined, written };
    this.#entries.set(id, entry);
    return written;
  }

  async peek(limit: number): Promise<FallbackJob<Payload>[]> {
    const jobs: FallbackJob<Payload>[] = [];
    for (const [id, entry] of this.#entries) {
      if (jobs.length >= limit || !entry.place) break;
      const job = await this.#read(id, entry, entry.place);
      if (job) jobs.push(job);
    }
    return jobs;
  }

  async remove(ids: readonly string[]): Promise<void> {
    const removed = ids.filter((id) => this.#forget(id));
    if (removed.length === 0) return;
    try {
      const segment = await this.#current();
      await segment.log.append(encodeLine({ removed }), false);
    } catch {
      // A full disk cannot take the note that they left: after a crash they come again, which their ids make harmless.
    }
    await this.#prune();
  }

  ids(): ReadonlySet<string> {
    return new Set(this.#entries.keys());
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#rotating?.catch(() => {});
    await Promise.all(this.#segments.map((segment) => segment.log.close()));
  }

  /** The segment that takes records now; a full or broken one is followed by a new one. */
  async #current(): Promise<Segment> {
    if (this.#closed) throw new ChaosError('STORE_UNAVAILABLE', `The disk tier ${this.#folder} is closed`);
    if (this.#rotating !== undefined) return this.#rotating;
    const last = this.#segments.at(-1);
    if (last && !last.log.broken && last.log.sizeBytes < this.#options.segmentBytes) return last;
    this.#rotating = this.#rotate((last?.number ?? 0) + 1).finally(() => {
      this.#rotating = undefined;
    });
    return this.#rotating;
  }

  async #rotate(number: number): Promise<Segment> {
    try {
      const log = await AppendLog.open(this.#path(number), 0);
      const segment = { number, log, live: 0 };
      this.#segments.push(segment);
      return segment;
    } catch (cause) {
      throw new ChaosError('STORE_UNAVAILABLE', `The disk tier cannot write to ${this.#folder}`, { cause });
    }
  }

  async #recover(number: number): Promise<void> {
    const path = this.#path(number);
    const bytes = await readFile(path);
    const lines = [...decodeLines(bytes)];
    const last = lines.at(-1);
    const goodBytes = last && !last.ok && last.why === 'torn' ? last.offset : bytes.length;
    for (const line of lines) if (!line.ok) await this.#setAside(number, line.offset, line.bytes, line.why);
    const segment: Segment = { number, log: await AppendLog.open(path, goodBytes), live: 0 };
    this.#segments.push(segment);
    for (const line of lines) {
      if (!line.ok) continue;
      const record = recordSchema.safeParse(line.value);
      if (!record.success) {
        const { offset, lengthBytes } = line;
        await this.#setAside(number, offset, bytes.subarray(offset, offset + lengthBytes), 'json');
      } else if ('removed' in record.data) {
        for (const id of record.data.removed) this.#forget(id);
      } else if (!this.#entries.has(record.data.job.id)) {
        const { id, enqueuedAt } = record.data.job;
        const place = { offset: line.offset, lengthBytes: line.lengthBytes };
        this.#entries.set(id, { segment, enqueuedAt, place, written: Promise.resolve() });
        segment.live++;
      }
    }
  }

  async #read(
    id: string,
    entry: Lookup,
    place: { offset: number; lengthBytes: number },
  ): Promise<FallbackJob<Payload> | undefined> {
    let bytes: Buffer;
    try {
      bytes = await entry.segment.log.read(place.offset, place.lengthBytes);
    } catch (cause) {
      if (!this.#entries.has(id)) return undefined; // removed, with its segment, while we were reading
      throw new ChaosError('STORE_UNAVAILABLE', `The disk tier cannot read ${this.#folder}`, { cause });
    }
    const line: DecodedLine = decodeLine(bytes, place.offset);
    const record = line.ok ? recordSchema.safeParse(line.value) : undefined;
    if (record?.success && 'job' in record.data && record.data.job.id === id) {
      return record.data.job as FallbackJob<Payload>;
    }
    this.#forget(id);
    await this.#setAside(entry.segment.number, place.offset, bytes, line.ok ? 'json' : line.why);
    return undefined;
  }

  #forget(id: string): boolean {
    const entry = this.#entries.get(id);
    if (!entry) return false;
    this.#entries.delete(id);
    entry.segment.live--;
    return true;
  }

  /** Keeps damaged bytes for a person. Those that are there from an earlier start are not told again. */
  async #setAside(number: number, offset: number, bytes: Buffer, why: CorruptRecord['why']): Promise<void> {
    const segment = `${String(number).padStart(8, '0')}.log`;
    const setAside = join(this.#folder, 'corrupt', `${segment}-${offset}`);
    try {
      await writeFile(setAside, bytes, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
      // Nowhere to keep the bytes (disk full): they stay in their segment, and it is told all the same.
    }
    this.#options.onCorrupt({ segment, offset, lengthBytes: bytes.length, why, setAside });
  }

  /** Removes the oldest segments while they hold nothing. The one in use stays. */
  async #prune(): Promise<void> {
    let removed = false;
    for (let oldest = this.#segments[0]; oldest && oldest.live === 0; oldest = this.#segments[0]) {
      if (this.#segments.length === 1) break;
      this.#segments.shift();
      await oldest.log.close();
      await unlink(oldest.log.path);
      removed = true;
    }
    if (removed) await syncFolder(this.#folder);
  }

  #path(number: number): string {
    return join(this.#folder, `${String(number).padStart(8, '0')}.log`);
  }
}
