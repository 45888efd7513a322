import type { Queryable } from '../database/database.ts';

export interface TerminalReading {
  stored: ReadonlySet<string>;
  duplicate: ReadonlySet<string>;
  inTwoEvents: ReadonlySet<string>;
  owed: number;
}

/** Ids asked for in one statement. */
const CHUNK = 5000;
/** Every so many readings all rows are read again, to see what was deleted behind our back. */
const FULL_EVERY = 6;

/**
 * Which uploads have their row, read from the database.
 *
 * A row once seen is believed until the next full reading, so that a round asks only for what is still open.
 */
export class TerminalRows {
  readonly #db: Queryable;
  #stored = new Set<string>();
  #duplicate = new Set<string>();
  #inTwoEvents: ReadonlySet<string> = new Set();
  #readings = 0;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** @throws when the database cannot be read */
  async read(accepted: Iterable<string>): Promise<TerminalReading> {
    if (this.#readings % FULL_EVERY === 0) await this.#readAll();
    else
      await this.#readOpen([...accepted].filter((id) => !this.#stored.has(id) && !this.#duplicate.has(id)));
    const [owed] = await this.#db.query<{ count: string }>(
      `SELECT (SELECT count(*) FROM detections WHERE owed) + (SELECT count(*) FROM events WHERE owed) AS count`,
    );
    this.#readings++;
    return {
      stored: this.#stored,
      duplicate: this.#duplicate,
      inTwoEvents: this.#inTwoEvents,
      owed: Number(owed?.count ?? 0),
    };
  }

  async #readAll(): Promise<void> {
    const rows = await this.#db.query<Status>('SELECT upload_id, status FROM uploads');
    const twice = await this.#db.query<{ upload_id: string }>(
      'SELECT upload_id FROM event_uploads GROUP BY upload_id HAVING count(*) > 1',
    );
    this.#stored = new Set();
    this.#duplicate = new Set();
    this.#take(rows);
    this.#inTwoEvents = new Set(twice.map((row) => row.upload_id));
  }

  async #readOpen(ids: readonly string[]): Promise<void> {
    for (let start = 0; start < ids.length; start += CHUNK) {
      const rows = await this.#db.query<Status>(
        'SELECT upload_id, status FROM uploads WHERE upload_id = ANY($1)',
        [ids.slice(start, start + CHUNK)],
      );
      this.#take(rows);
    }
  }

  #take(rows: readonly Status[]): void {
    for (const { upload_id, status } of rows) {
      (status === 'stored' ? this.#stored : this.#duplicate).add(upload_id);
    }
  }
}

interface Status {
  upload_id: string;
  status: 'stored' | 'duplicate';
}
