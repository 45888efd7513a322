import pg from 'pg';
import { createRandom, type Random } from '#lib/chaos/random.ts';

export type Belief = 'committed' | 'refused' | 'unknown';

/** What a client knows of each row that it tried to insert, by key. */
export type Beliefs = Map<number, Belief>;

/** Transaction status as ReadyForQuery tells it. */
export type Status = 'I' | 'T' | 'E';

interface PgInternals {
  readonly processID: number;
  readonly readyForQuery: boolean;
  readonly connection: {
    on(event: string, listener: (message: { status: Status; chunk: Buffer }) => void): void;
    readonly stream: { destroy(): void };
    readonly parsedStatements: Readonly<Record<string, string>>;
  };
}

/** A client of `pg` with what it believes about its connection. */
export class BelievingClient {
  readonly #client: pg.Client;
  readonly #inside: PgInternals;
  #status: Status = 'I';
  #lost = false;
  #wake: () => void = () => {};
  #copied: string[] = [];

  private constructor(client: pg.Client) {
    this.#client = client;
    this.#inside = client as unknown as PgInternals;
    client.on('error', () => this.#lose());
    client.on('end', () => this.#lose());
    this.#inside.connection.on('readyForQuery', ({ status }) => {
      this.#status = status;
      this.#wake();
    });
    this.#inside.connection.on('copyData', ({ chunk }) => this.#copied.push(chunk.toString().trim()));
  }

  /** @throws when it cannot connect */
  static async connect(config: pg.ClientConfig): Promise<BelievingClient> {
    const client = new BelievingClient(new pg.Client(config));
    await client.#client.connect();
    return client;
  }

  get pid(): number {
    return this.#inside.processID;
  }

  get lost(): boolean {
    return this.#lost;
  }

  status(): Status {
    return this.#status;
  }

  /** Statements that it would use without sending Parse again. */
  get prepared(): string[] {
    return Object.keys(this.#inside.connection.parsedStatements).sort();
  }

  /** Resolves when the answer is complete, ReadyForQuery included, or the connection is lost. */
  async query(query: string | pg.QueryConfig): Promise<pg.QueryResult> {
    try {
      return await this.#client.query(query);
    } catch (error) {
      // Without a SQLSTATE it did not come from the server; after FATAL, or in vain, there is nothing to wait for.
      const { severity, code } = error as pg.DatabaseError;
      if (severity !== 'ERROR' || code === undefined) this.drop();
      throw error;
    } finally {
      if (!this.#lost && !this.#inside.readyForQuery) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Statements that the server says are prepared; asked by COPY, which no fault makes fail. */
  async preparedInServer(): Promise<string[]> {
    this.#copied = [];
    await this.query('COPY (SELECT name FROM pg_prepared_statements) TO STDOUT');
    return this.#copied.sort();
  }

  drop(): void {
    this.#lose();
    this.#inside.connection.stream.destroy();
  }

  async end(): Promise<void> {
    if (this.#lost) return;
    this.#lost = true;
    await this.#client.end();
  }

  #lose(): void {
    this.#lost = true;
    this.#wake();
  }
}

export interface ProgramContext {
  readonly client: BelievingClient;
  readonly beliefs: Beliefs;
  readonly nextKey: () => number;
  /** Called between statements, when everything is answered. */
  readonly compare: () => Promise<void>;
}

const INSERT = 'INSERT INTO believed VALUES ($1)';

/** One random program: inserts by simple, parameterised and named statements, mostly in a transaction. */
export async function runProgram(seed: number, context: ProgramContext): Promise<void> {
  const random = createRandom(seed);
  if (random() < 0.3) await outsideTransaction(random, context);
  else await inTransaction(random, context);
  if (!context.client.lost) await context.compare();
}

function insert(random: Random, key: number): string | pg.QueryConfig {
  const kind = random();
  if (kind < 0.3) return `INSERT INTO believed VALUES (${key})`;
  if (kind < 0.6) return { text: INSERT, values: [key] };
  return { name: `insert${Math.floor(random() * 3)}`, text: INSERT, values: [key] };
}

async function outsideTransaction(
  random: Random,
  { client, beliefs, nextKey }: ProgramContext,
): Promise<void> {
  for (let left = 1 + Math.floor(random() * 4); left > 0 && !client.lost; left--) {
    const key = nextKey();
    try {
      await client.query(insert(random, key));
      beliefs.set(key, 'committed');
    } catch {
      beliefs.set(key, client.lost ? 'unknown' : 'refused'); // its own COMMIT was in it
    }
  }
}

async function inTransaction(random: Random, context: ProgramContext): Promise<void> {
  const { client, beliefs, nextKey } = context;
  /** Keys that would be committed now; a savepoint remembers how many there were. */
  let pending: number[] = [];
  let savepoint: number | undefined;
  const refuse = (from: number) => {
    for (const key of pending.splice(from)) beliefs.set(key, 'refused');
  };
  const attempt = async (query: string | pg.QueryConfig): Promise<pg.QueryResult | undefined> => {
    const aborted = client.status() === 'E';
    try {
      return await client.query(query);
    } catch (error) {
      if (aborted && !client.lost && (error as pg.DatabaseError).code !== '25P02') {
        throw new Error(`A statement in an aborted transaction met a fault: ${error}`, { cause: error });
      }
      return undefined;
    }
  };

  await attempt(random() < 0.8 ? 'BEGIN' : { name: 'begin', text: 'BEGIN' });
  if (client.lost || client.status() !== 'T') return;
  for (let left = 1 + Math.floor(random() * 5); left > 0 && !client.lost; left--) {
    const kind = random();
    if (kind < 0.15 && savepoint === undefined) {
      if (await attempt('SAVEPOINT s')) savepoint = pending.length;
    } else if (savepoint !== undefined && (client.status() === 'E' || kind < 0.3)) {
      await mustPass(client, 'ROLLBACK TO SAVEPOINT s');
      if (!client.lost) refuse(savepoint);
    } else if (kind < 0.4) {
      await attempt({ name: 'look', text: 'SELECT count(*) FROM believed WHERE key = $1', values: [0] });
    } else {
      const key = nextKey();
      const done = await attempt(insert(random, key));
      if (done) pending.push(key);
      else beliefs.set(key, 'refused');
    }
    if (random() < 0.1 && !client.lost) await context.compare();
  }
  if (client.lost) return refuse(0);
  if (random() < 0.2) {
    await mustPass(client, 'ROLLBACK');
    return refuse(0);
  }
  const wasAborted = client.status() === 'E';
  const done = await attempt(random() < 0.7 ? 'COMMIT' : { name: 'commit', text: 'COMMIT' });
  if (client.lost) {
    for (const key of pending) beliefs.set(key, 'unknown');
    return;
  }
  for (const key of pending) beliefs.set(key, done?.command === 'COMMIT' ? 'committed' : 'refused');
  pending = [];
  if (client.status() === 'E' && wasAborted)
    await mustPass(client, 'ROLLBACK'); // a COMMIT by Bind alone is refused there
  else if (client.status() !== 'I') throw new Error(`COMMIT was answered and left status ${client.status()}`);
}

/** @throws when a statement that no fault may make fail was answered by an error */
async function mustPass(client: BelievingClient, sql: string): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    if (!client.lost) throw new Error(`${sql} met a fault: ${error}`, { cause: error });
  }
}
