import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, systemClock } from '../../lib/chaos/clock.ts';
import type { MetricDeclaration } from '../../lib/protocol/metrics.ts';
import type { Logger } from '../logging.ts';

export interface RecorderOptions {
  dir: string;
  logger: Logger;
  /** The series as they are now and their newest values, in one order. */
  sample: () => { metrics: readonly MetricDeclaration[]; values: readonly (number | null)[] };
  /** @default systemClock */
  clock?: Clock;
  /** @default 1000 */
  everyMs?: number;
  /** Samples are written together this often, ms. @default 5000 */
  writeEveryMs?: number;
  /** @default 24 h */
  keepMs?: number;
}

interface Sample {
  at: number;
  layout: number;
  data: Uint8Array;
}

/** Point look-ups in one turn of the event loop; about a millisecond. */
const LOOKUPS_PER_TURN = 100;
/** A sample stands for this long when the asked step is finer than the record, ms. */
const HELD_MS = 1500;
/** Rows removed at a time, so that catching up after a long stop does not hold the loop. */
const REMOVED_AT_A_TIME = 2000;

/**
 * 24 hours of every series, one row a second, in a SQLite file of its own.
 *
 * It depends on nothing under test. It is telemetry: nothing waits for the disk (no fsync), a file that a power cut
 * broke is put aside, and a write that fails is warned about and forgotten.
 */
export class Recorder {
  readonly #options: Required<RecorderOptions>;
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #lookUp: StatementSync;
  readonly #layouts = new Map<number, MetricDeclaration[]>();
  readonly #timers: NodeJS.Timeout[];
  #layout = 0;
  #layoutKey = '';
  #pending: Sample[] = [];
  #closed = false;

  constructor(options: RecorderOptions) {
    this.#options = {
      clock: systemClock,
      everyMs: 1000,
      writeEveryMs: 5000,
      keepMs: 24 * 60 * 60 * 1000,
      ...options,
    };
    mkdirSync(this.#options.dir, { recursive: true });
    this.#db = this.#openFile();
    this.#insert = this.#db.prepare('INSERT OR REPLACE INTO samples (at, layout, data) VALUES (?, ?, ?)');
    this.#lookUp = this.#db.prepare(
      'SELECT at, layout, data FROM samples WHERE at >= ? AND at < ? ORDER BY at DESC LIMIT 1',
    );
    for (const row of this.#db.prepare('SELECT id, metrics FROM layouts').all()) {
      this.#layouts.set(Number(row['id']), JSON.parse(String(row['metrics'])) as MetricDeclaration[]);
      this.#layout = Math.max(this.#layout, Number(row['id']));
    }
    this.#timers = [
      setInterval(() => this.#take(), this.#options.everyMs),
      setInterval(() => this.flush(), this.#options.writeEveryMs),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  /** Last sample within each step from `startAt` (epoch ms), for each name; null is a gap. */
  async series(
    names: readonly string[],
    startAt: number,
    stepMs: number,
    points: number,
  ): Promise<Map<string, (number | null)[]>> {
    this.flush();
    const result = new Map<string, (number | null)[]>(names.map((name) => [name, []]));
    const places = new Map<number, Map<string, number>>();
    const placesIn = (layout: number) => {
      const known = places.get(layout);
      if (known) return known;
      const found = new Map(this.#layouts.get(layout)?.map(({ name }, place) => [name, place]));
      places.set(layout, found);
      return found;
    };
    for (let index = 0; index < points; index++) {
      if (index % LOOKUPS_PER_TURN === LOOKUPS_PER_TURN - 1) await nextTurn();
      if (this.#closed) return result;
      const until = startAt + (index + 1) * stepMs;
      const row = this.#lookUp.get(until - Math.max(stepMs, HELD_MS), until);
      const values = row ? decode(row['data'] as Uint8Array) : undefined;
      const placeOf = row ? placesIn(Number(row['layout'])) : undefined;
      for (const [name, series] of result) {
        const value = values?.[placeOf?.get(name) ?? -1];
        series.push(value === undefined || Number.isNaN(value) ? null : value);
      }
    }
    return result;
  }

  /** What a recorded series was declared as, when its process is away. */
  declaration(name: string): MetricDeclaration | undefined {
    for (const metrics of [...this.#layouts.values()].reverse()) {
      const found = metrics.find((metric) => metric.name === name);
      if (found) return found;
    }
    return undefined;
  }

  /** Writes what is waiting and forgets what is too old. */
  flush(): void {
    if (this.#closed || this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    try {
      this.#db.exec('BEGIN');
      for (const sample of pending) this.#insert.run(sample.at, sample.layout, sample.data);
      this.#db
        .prepare('DELETE FROM samples WHERE at IN (SELECT at FROM samples WHERE at < ? ORDER BY at LIMIT ?)')
        .run(this.#options.clock.now() - this.#options.keepMs, REMOVED_AT_A_TIME);
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#options.logger.warn({ err: error, samples: pending.length }, 'samples could not be recorded');
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    }
  }

  close(): void {
    if (this.#closed) return;
    for (const timer of this.#timers) clearInterval(timer);
    this.flush();
    this.#closed = true;
    this.#db.close();
  }

  #take(): void {
    const { metrics, values } = this.#options.sample();
    if (metrics.length === 0) return;
    const key = JSON.stringify(metrics);
    if (key !== this.#layoutKey) {
      this.#layoutKey = key;
      this.#setLayout(key, metrics);
    }
    const data = Float64Array.from(values, (value) => value ?? Number.NaN);
    this.#pending.push({
      at: Math.round(this.#options.clock.now()),
      layout: this.#layout,
      data: new Uint8Array(data.buffer),
    });
  }

  #setLayout(key: string, metrics: readonly MetricDeclaration[]): void {
    for (const [id, known] of this.#layouts) {
      if (JSON.stringify(known) !== key) continue;
      this.#layout = id;
      return;
    }
    this.#layout = Math.max(0, ...this.#layouts.keys()) + 1;
    this.#layouts.set(this.#layout, [...metrics]);
    try {
      this.#db.prepare('INSERT INTO layouts (id, metrics) VALUES (?, ?)').run(this.#layout, key);
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'the list of series could not be recorded');
    }
  }

  #openFile(): DatabaseSync {
    const path = join(this.#options.dir, 'samples.sqlite');
    try {
      return openDatabase(path);
    } catch (error) {
      const aside = `${path}.broken-${this.#options.clock.now()}`;
      this.#options.logger.warn({ err: error, aside }, 'recorded samples are unreadable and were put aside');
      renameSync(path, aside);
      for (const end of ['-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
      return openDatabase(path);
    }
  }
}

function openDatabase(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 200 });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;');
    db.exec('CREATE TABLE IF NOT EXISTS layouts (id INTEGER PRIMARY KEY, metrics TEXT NOT NULL)');
    db.exec(
      'CREATE TABLE IF NOT EXISTS samples (at INTEGER PRIMARY KEY, layout INTEGER NOT NULL, data BLOB NOT NULL)',
    );
    db.prepare('SELECT count(*) FROM layouts').get();
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function decode(data: Uint8Array): Float64Array {
  const bytes = data.slice(); // SQLite's buffer need not be aligned
  return new Float64Array(bytes.buffer, 0, bytes.byteLength / 8);
}
