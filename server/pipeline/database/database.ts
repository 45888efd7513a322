import { Pool, type PoolClient } from 'pg';
import type { PoolStatus } from '#lib/protocol/state.ts';
import type { DependencyAddress } from '#server/dependency-addresses.ts';
import {
  CheckoutTimeoutError,
  isConnectionUsable,
  isRepeatable,
  ReleasedClientError,
} from './database-error.ts';
import { streamBy } from './named-stream.ts';

export type SqlValue = string | number | boolean | Date | null | string[];
export type Row = Record<string, unknown>;

/** What runs SQL: the database itself, or a transaction on it. */
export interface Queryable {
  query<T extends object = Row>(sql: string, values?: readonly SqlValue[]): Promise<T[]>;
}

export interface DatabaseOptions extends DependencyAddress {
  user: string;
  password: string;
  database: string;
  /** Connections that stay. @default 5 */
  size: number;
  /** Further connections under load. @default 5 */
  overflow: number;
  /**
   * One of them is closed when nobody has wanted it for so long, ms. Not at once: the next query would open it again,
   * with a password proof and a new process of the server's, many times a second.
   * @default 1000
   */
  overflowIdleMs: number;
  /** Longest wait for a connection, new or free, ms. @default 2000 */
  checkoutMs: number;
  /** The server gives up a statement, ms; smaller than `queryMs`. @default 2000 */
  statementMs: number;
  /** The client gives up a statement, ms. @default 3000 */
  queryMs: number;
  /** @default 5000 */
  idleInTransactionMs: number;
  /** Age at which a connection is replaced, s. @default 1800 */
  maxLifetimeSeconds: number;
  /** A connection held longer than this without a statement running on it is reported as leaked, ms. @default 3000 */
  leakAfterMs: number;
  /** @default 500 */
  slowQueryMs: number;
  /** A connection idle for longer is asked before it is used, ms. @default 1000 */
  checkIdleMs: number;
  /** Around each unit of work: the breaker. @default runs it */
  guard: <T>(work: () => Promise<T>) => Promise<T>;
  /** Told of each unit of work when it has ended. @default nothing */
  onCall: (call: { durationMs: number; error?: unknown }) => void;
  /** @default nothing */
  onLeak: (leak: { heldMs: number; callSite: string }) => void;
  /** @default nothing */
  onSlowQuery: (slow: { sql: string; durationMs: number }) => void;
  /** Told of each check-out that found every connection in use for too long. @default nothing */
  onExhausted: (figures: { active: number; idle: number; waiting: number; max: number }) => void;
  /** Told of each transaction that is run again, with the statement that failed. @default nothing */
  onRepeat: (repeat: { code: string; attempt: number; sql: string }) => void;
  /** Errors of idle and checked-out connections. @default nothing */
  onConnectionError: (error: Error) => void;
}

const DATABASE_DEFAULTS = {
  size: 5,
  overflow: 5,
  checkoutMs: 2000,
  statementMs: 2000,
  queryMs: 3000,
  idleInTransactionMs: 5000,
  overflowIdleMs: 1000,
  maxLifetimeSeconds: 1800,
  leakAfterMs: 3000,
  slowQueryMs: 500,
  checkIdleMs: 1000,
  guard: <T>(work: () => Promise<T>) => work(),
  onCall: () => {},
  onLeak: () => {},
  onSlowQuery: () => {},
  onExhausted: () => {},
  onRepeat: () => {},
  onConnectionError: () => {},
} satisfies Partial<DatabaseOptions>;

/** A connection that is checked out. Times are monotonic, ms. */
interface Hold {
  readonly since: number;
  /** Since when no statement runs on it. */
  restingSince: number;
  running: number;
  leaked: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** Attempts in total at a transaction that hit a deadlock or a serialization failure. */
const TRANSACTION_ATTEMPTS = 4;

/**
 * The pipeline's way to PostgreSQL: a pool that gives up in time and says why.
 *
 *     work ─► guard (breaker) ─► checkout (checked, timed, watched for leaks) ─► statement ─► release or destroy
 *
 * Every method rejects within `checkoutMs` plus `queryMs` for each statement, whatever happens on the wire.
 */
export class Database implements Queryable {
  readonly #options: DatabaseOptions;
  readonly #pool: Pool;
  readonly #held = new Map<PoolClient, Hold>();
  readonly #usedAt = new WeakMap<PoolClient, number>();
  /** Could not roll back: their transactions end with them. */
  readonly #broken = new WeakSet<PoolClient>();
  /** The statement by which a transaction failed that is run again. */
  readonly #failedSql = new WeakMap<Error, string>();
  #closed = false;

  constructor(
    options: Partial<DatabaseOptions> &
      Pick<DatabaseOptions, 'host' | 'port' | 'user' | 'password' | 'database'>,
  ) {
    const merged = { ...DATABASE_DEFAULTS, ...options };
    if (!(merged.statementMs < merged.queryMs)) {
      throw new RangeError(`Expected statementMs below queryMs, got ${merged.statementMs}`);
    }
    this.#options = merged;
    this.#pool = new Pool({
      host: merged.host,
      port: merged.port,
      ...streamBy(merged.lookup),
      user: merged.user,
      password: merged.password,
      database: merged.database,
      max: merged.size + merged.overflow,
      connectionTimeoutMillis: merged.checkoutMs,
      query_timeout: merged.queryMs,
      statement_timeout: merged.statementMs,
      lock_timeout: Math.max(1, Math.floor(merged.statementMs * 0.8)),
      idle_in_transaction_session_timeout: merged.idleInTransactionMs,
      keepAlive: true,
      min: merged.size,
      idleTimeoutMillis: merged.overflowIdleMs,
      maxLifetimeSeconds: merged.maxLifetimeSeconds,
      application_name: 'brownout-pipeline',
      allowExitOnIdle: true,
    });
    this.#pool.on('error', (error) => this.#options.onConnectionError(error));
    // A checked-out client has no listener of the pool's: without this one a terminated backend ends the process.
    this.#pool.on('connect', (client) =>
      client.on('error', (error) => this.#options.onConnectionError(error)),
    );
  }

  /**
   * Runs one statement and gives its rows.
   * @throws {CheckoutTimeoutError} and whatever pg throws
   */
  query<T extends object = Row>(sql: string, values: readonly SqlValue[] = []): Promise<T[]> {
    const caller = new Error();
    return this.#guarded(() => this.#withClient(caller, (client) => this.#run<T>(client, sql, values)));
  }

  /**
   * Runs `work` in a transaction; a deadlock or serialization failure runs it again, so it must have no other effect.
   *
   * A connection lost during COMMIT leaves the outcome unknown: write under a unique key, then repeat.
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    const caller = new Error();
    return this.#guarded(async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#withClient(caller, (client) => this.#transact(client, work));
        } catch (error) {
          if (attempt >= TRANSACTION_ATTEMPTS || !isRepeatable(error)) throw error;
          this.#options.onRepeat({ code: error.code, attempt, sql: this.#failedSql.get(error) ?? '' });
          await new Promise((resolve) => setTimeout(resolve, 10 * 2 ** attempt * (1 + Math.random())));
        }
      }
    });
  }

  /** Statements past the breaker, for the ledger: it must say what is there, not what the breaker believes. */
  readonly direct: Queryable = {
    query: <T extends object = Row>(sql: string, values: readonly SqlValue[] = []) => {
      const caller = new Error();
      return this.#told(() => this.#withClient(caller, (client) => this.#run<T>(client, sql, values)));
    },
  };

  /** A client for a tool that needs the connection itself. It is destroyed afterwards. */
  async withConnection<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#checkout(new Error());
    try {
      return await work(client);
    } finally {
      this.#release(client, true);
    }
  }

  /** Takes a connection out of the pool until the function given back is called; nothing watches it. */
  async hold(): Promise<() => void> {
    const client = await this.#connect();
    return () => client.release(true);
  }

  /** Checks a connection out as work does, and leaves it; the function given back hands it in. */
  async leak(): Promise<() => void> {
    const client = await this.#checkout(new Error());
    return () => this.#release(client, true);
  }

  status(): PoolStatus {
    const { size, overflow } = this.#options;
    const total = this.#pool.totalCount;
    return {
      name: 'database',
      size,
      overflow: Math.min(overflow, Math.max(0, total - size)),
      active: total - this.#pool.idleCount,
      idle: this.#pool.idleCount,
      waiting: this.#pool.waitingCount,
      leaked: [...this.#held.values()].filter((hold) => hold.leaked).length,
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#pool.end();
  }

  #guarded<T>(work: () => Promise<T>): Promise<T> {
    return this.#options.guard(() => this.#told(work));
  }

  async #told<T>(work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      const result = await work();
      this.#options.onCall({ durationMs: performance.now() - startedAt });
      return result;
    } catch (error) {
      this.#options.onCall({ durationMs: performance.now() - startedAt, error });
      throw error;
    }
  }

  async #withClient<T>(caller: Error, work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#checkout(caller);
    try {
      const result = await work(client);
      this.#release(client, false);
      return result;
    } catch (error) {
      this.#release(client, this.#broken.has(client) || !isConnectionUsable(error));
      throw error;
    }
  }

  /** `caller` was made where the work was asked for: from here the breaker would look like its owner. */
  async #checkout(caller: Error): Promise<PoolClient> {
    for (;;) {
      const client = await this.#connect();
      const now = performance.now();
      const hold: Hold = { since: now, restingSince: now, running: 0, leaked: false, timer: undefined };
      this.#held.set(client, hold);
      this.#watchHold(hold, caller);
      const usedAt = this.#usedAt.get(client);
      if (usedAt === undefined || now - usedAt < this.#options.checkIdleMs) return client;
      try {
        await this.#busy(client, () => client.query('SELECT 1'));
        return client;
      } catch (error) {
        this.#release(client, true);
        if (isTimeout(error)) throw error; // a hole swallows the next one too
      }
    }
  }

  /** A slow statement has limits of its own: only a connection on which nothing runs has been forgotten. */
  #watchHold(hold: Hold, caller: Error): void {
    const { leakAfterMs, onLeak } = this.#options;
    const restedMs = hold.running > 0 ? 0 : performance.now() - hold.restingSince;
    hold.timer = setTimeout(
      () => {
        const now = performance.now();
        if (hold.running > 0 || now - hold.restingSince < leakAfterMs) {
          this.#watchHold(hold, caller);
          return;
        }
        hold.leaked = true;
        onLeak({ heldMs: Math.round(now - hold.since), callSite: callSiteOf(caller) });
      },
      Math.max(1, Math.ceil(leakAfterMs - restedMs)),
    );
    hold.timer.unref();
  }

  async #busy<T>(client: PoolClient, statement: () => Promise<T>): Promise<T> {
    const hold = this.#held.get(client);
    if (!hold) return statement();
    hold.running++;
    try {
      return await statement();
    } finally {
      hold.running--;
      hold.restingSince = performance.now();
    }
  }

  async #connect(): Promise<PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (cause) {
      if (!(cause instanceof Error) || !cause.message.includes('timeout')) throw cause;
      const { active, idle, waiting } = this.status();
      const max = this.#options.size + this.#options.overflow;
      if (active >= max) this.#options.onExhausted({ active, idle, waiting, max });
      throw new CheckoutTimeoutError({ active, idle, waiting, max }, { cause });
    }
  }

  #release(client: PoolClient, destroy: boolean): void {
    clearTimeout(this.#held.get(client)?.timer);
    this.#held.delete(client);
    this.#usedAt.set(client, performance.now());
    client.release(destroy);
  }

  async #run<T extends object>(client: PoolClient, sql: string, values: readonly SqlValue[]): Promise<T[]> {
    const startedAt = performance.now();
    try {
      const result = await this.#busy(client, () => client.query<T & Row>(sql, [...values]));
      return result.rows;
    } catch (error) {
      if (isRepeatable(error)) this.#failedSql.set(error, shortened(sql));
      throw error;
    } finally {
      const durationMs = performance.now() - startedAt;
      if (durationMs > this.#options.slowQueryMs) {
        this.#options.onSlowQuery({ sql: shortened(sql), durationMs: Math.round(durationMs) });
      }
    }
  }

  async #transact<T>(client: PoolClient, work: (tx: Queryable) => Promise<T>): Promise<T> {
    let over = false;
    const tx: Queryable = {
      query: (sql, values = []) => {
        if (over) return Promise.reject(new ReleasedClientError());
        return this.#run(client, sql, values);
      },
    };
    await this.#run(client, 'BEGIN', []);
    try {
      const result = await work(tx);
      over = true;
      await this.#run(client, 'COMMIT', []);
      return result;
    } catch (error) {
      over = true;
      // Otherwise the connection is destroyed, which ends the transaction too.
      if (isConnectionUsable(error)) await this.#rollBack(client);
      throw error; // why the work failed, not why it could not be undone
    }
  }

  async #rollBack(client: PoolClient): Promise<void> {
    try {
      await this.#run(client, 'ROLLBACK', []);
    } catch {
      this.#broken.add(client);
    }
  }
}

function shortened(sql: string): string {
  return sql.replace(/\s+/g, ' ').trim().slice(0, 200);
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && /timeout/i.test(error.message);
}

/** The first line of the stack outside this folder: who took the connection. */
function callSiteOf(error: Error): string {
  const lines = (error.stack ?? '').split('\n').slice(1);
  const outside = lines.find(
    (line) => !line.includes('/pipeline/database/database.ts') && line.includes(':'),
  );
  return (outside ?? lines.at(-1) ?? 'unknown').trim().replace(/^at /, '');
}
