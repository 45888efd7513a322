import { createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { CheckoutTimeoutError, isDatabaseTrouble } from './database-error.ts';
import { migrate } from './migrate.ts';

let postgres: TestPostgres;
const opened: Database[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
}, 30_000);
afterEach(async () => {
  await Promise.all(opened.splice(0).map((database) => database.close()));
});
afterAll(() => postgres.close());

function makeDatabase(overrides: Partial<DatabaseOptions> = {}): Database {
  const { host, port, user, password, database } = postgres;
  const made = new Database({ host, port, user, password, database, ...overrides });
  opened.push(made);
  return made;
}

describe('Database', () => {
  it('refuses a client time-out that is not above that of the server', () => {
    expect(() => makeDatabase({ statementMs: 3000, queryMs: 3000 })).toThrow(RangeError);
  });

  it('gives up a checkout in time and tells the figures of the pool', async () => {
    const database = makeDatabase({
      size: 1,
      overflow: 1,
      checkoutMs: 1500,
      statementMs: 5000,
      queryMs: 6000,
    });
    const held = [1, 2].map(() => database.query('SELECT pg_sleep(3)'));
    await vi.waitFor(() => expect(database.status()).toMatchObject({ active: 2, overflow: 1 }), 5000);
    await expect(database.query('SELECT 1')).rejects.toThrow(/2 of 2 in use, 0 idle/);
    await Promise.all(held);
  });

  it('closes overflow connections that nobody wants any more', async () => {
    const database = makeDatabase({ size: 2, overflow: 3, overflowIdleMs: 50 });
    await Promise.all(Array.from({ length: 5 }, () => database.query('SELECT pg_sleep(0.1)')));
    await vi.waitFor(
      () => expect(database.status()).toMatchObject({ active: 0, idle: 2, overflow: 0 }),
      8000,
    );
  });

  it('keeps its overflow connections while they are wanted', async () => {
    const database = makeDatabase({ size: 1, overflow: 2 });
    const pids = new Set<number>();
    for (let round = 0; round < 5; round++) {
      const rows = await Promise.all(
        Array.from({ length: 3 }, () =>
          database.query<{ pid: number }>('SELECT pg_backend_pid() AS pid, pg_sleep(0.05)'),
        ),
      );
      for (const [row] of rows) pids.add(row?.pid ?? 0);
    }
    expect(pids.size).toBe(3);
  });

  it('lets the server give up a slow statement and tells it, then goes on', async () => {
    const onSlowQuery = vi.fn();
    const database = makeDatabase({ statementMs: 500, queryMs: 1900, slowQueryMs: 100, onSlowQuery });
    await expect(database.query('SELECT pg_sleep(2)')).rejects.toMatchObject({ code: '57014' });
    expect(onSlowQuery).toHaveBeenCalledWith(expect.objectContaining({ sql: 'SELECT pg_sleep(2)' }));
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('names who holds a connection for too long', async () => {
    const onLeak = vi.fn();
    const breaker = new CircuitBreaker('database');
    const database = makeDatabase({ leakAfterMs: 50, onLeak, guard: (work) => breaker.execute(work) });
    const leaking = database.transaction(async (tx) => {
      await tx.query('SELECT pg_sleep(0.2)');
      expect(database.status().leaked).toBe(0); // slow, but at work
      await vi.waitFor(() => expect(onLeak).toHaveBeenCalledOnce(), 3000);
      return database.status().leaked;
    });
    expect(await leaking).toBe(1);
    expect(onLeak.mock.calls[0]?.[0].callSite).toContain('database.test.ts');
    expect(database.status().leaked).toBe(0);
  });

  it('repeats a transaction after a serialization failure, and rolls back any other failure', async () => {
    const database = makeDatabase();
    await database.query('CREATE TABLE notes (text text)');
    let attempts = 0;
    await database.transaction(async (tx) => {
      attempts++;
      await tx.query('INSERT INTO notes VALUES ($1)', [`attempt ${attempts}`]);
      if (attempts < 3) await tx.query("DO $$ BEGIN RAISE 'again' USING ERRCODE = '40001'; END $$");
    });
    const refused = database.transaction(async (tx) => {
      await tx.query("INSERT INTO notes VALUES ('rolled back')");
      await tx.query('SELECT 1/0');
    });
    await expect(refused).rejects.toMatchObject({ code: '22012' });
    expect(await database.query('SELECT text FROM notes')).toEqual([{ text: 'attempt 3' }]);
  });

  it('refuses a transaction that is used after its end', async () => {
    const database = makeDatabase();
    const kept = await database.transaction(async (tx) => tx);
    await expect(kept.query('SELECT 1')).rejects.toMatchObject({ code: 'CLIENT_RELEASED' });
  });

  it('survives backends that are terminated, idle or in use', async () => {
    const database = makeDatabase({ statementMs: 8000, queryMs: 9000 });
    const inUse = database.query('SELECT pg_sleep(6)');
    inUse.catch(() => {});
    await database.query('SELECT 1');
    const other = makeDatabase();
    const running = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'";
    await vi.waitFor(async () => expect(await other.query(running)).toHaveLength(1), 5000);
    await other.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = $1',
      ['brownout-pipeline'],
    );
    await expect(inUse).rejects.toSatisfy(isDatabaseTrouble);
    // The idle connection's end may be seen only by the next statement on it.
    await vi.waitFor(async () => expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]), 8000);
  });

  it('runs work through its guard, but direct statements past it', async () => {
    const database = makeDatabase({ guard: () => Promise.reject(new Error('open')) });
    await expect(database.query('SELECT 1')).rejects.toThrow('open');
    expect(await database.direct.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('does not wait for a server that never answers', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const database = makeDatabase({ port, checkoutMs: 200 });
    await expect(database.query('SELECT 1')).rejects.toBeInstanceOf(CheckoutTimeoutError);
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
});

describe('migrate', () => {
  it('waits for the database, makes the schema, and finds it made', async () => {
    const { port } = postgres;
    await postgres.kill();
    const database = makeDatabase({ port });
    const onRetry = vi.fn();
    const migrating = migrate(database, { signal: new AbortController().signal, retryMs: 50, onRetry });
    await vi.waitFor(() => expect(onRetry).toHaveBeenCalled(), 8000);
    await postgres.restart();
    await migrating;
    const tables = await database.query<{ table_name: string }>(
      "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
    );
    expect(tables.map((table) => table.table_name)).toEqual(
      expect.arrayContaining(['detections', 'event_uploads', 'events', 'uploads']),
    );
    await migrate(database, { signal: new AbortController().signal });
  });

  it('stops when it is told to', async () => {
    const database = makeDatabase({ port: 1, checkoutMs: 100 });
    const stopping = new AbortController();
    const migrating = migrate(database, { signal: stopping.signal, retryMs: 20 });
    stopping.abort(new Error('stopped'));
    await expect(migrating).rejects.toThrow('stopped');
  });
});
