import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { createRandom } from '../../random.ts';
import type { ServiceProxy } from '../service-proxy.ts';

let postgres: TestPostgres;
let harness: ProxyHarness;
let proxy: ServiceProxy;
const clients: pg.Client[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
  harness = startProxyHarness();
  proxy = await harness.open('database', postgres);
  const client = await connect();
  await client.query('CREATE TABLE things (id int PRIMARY KEY, name text)');
  await client.end();
});
afterEach(async () => {
  await harness.endAll();
  const client = await connect();
  await client.query('TRUNCATE things');
  await Promise.all(clients.splice(0).map((each) => each.end().catch(() => {})));
  await vi.waitFor(() => expect(proxy.connections).toBe(0), 8000);
});
afterAll(async () => {
  await harness.close();
  await postgres.close();
});

function makeClient(more: pg.ClientConfig = {}): pg.Client {
  const { user, password, database } = postgres;
  const client = new pg.Client({
    host: '127.0.0.1',
    port: proxy.port,
    user,
    password,
    database,
    connectionTimeoutMillis: 2000,
    ...more,
  });
  client.on('error', () => {});
  clients.push(client);
  return client;
}

async function connect(more: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = makeClient(more);
  await client.connect();
  return client;
}

async function failure(work: Promise<unknown>): Promise<pg.DatabaseError> {
  return work.then(
    () => {
      throw new Error('Expected the query to fail');
    },
    (error: pg.DatabaseError) => error,
  );
}

/** Our fault's error, as PostgreSQL itself sends it. */
function expectInjected(error: pg.DatabaseError): void {
  expect(error.code).toBe('58000');
  expect(error.detail).toMatch(/^\[brownout:f\d+\]$/);
  expect(error.severity).toBe('ERROR');
}

const INSERT = 'INSERT INTO things VALUES ($1, $2)';

async function count(client: pg.Client): Promise<number> {
  return (await client.query('SELECT count(*)::int AS n FROM things')).rows[0].n;
}

describe('PostgresSession', () => {
  it('fails simple and parameterised queries with SQLSTATE 58000 and goes on', async () => {
    const client = await connect();
    const id = await harness.arm('database', 'server_error');
    expectInjected(await failure(client.query('SELECT 2')));
    expectInjected(await failure(client.query(INSERT, [1, 'one'])));
    expectInjected(await failure(client.query('SELECT 3; SELECT 4')));
    await harness.end(id);
    expect((await client.query('SELECT $1::int AS n', [5])).rows).toEqual([{ n: 5 }]);
    expect(await count(client)).toBe(0);
  });

  it('never makes a client believe in a named statement that does not exist', async () => {
    const client = await connect();
    const named = { name: 'st1', text: 'SELECT $1::int AS n' };
    const first = await harness.arm('database', 'server_error', { match: { sql: '$1::int' } });
    expectInjected(await failure(client.query({ ...named, values: [1] })));
    await harness.end(first);
    expect((await client.query({ ...named, values: [2] })).rows).toEqual([{ n: 2 }]);
    // Used again there is no Parse: the text is known by its name.
    const second = await harness.arm('database', 'server_error', { match: { sql: '$1::int' } });
    expectInjected(await failure(client.query({ ...named, values: [3] })));
    expect((await client.query('SELECT 4 AS n')).rows).toEqual([{ n: 4 }]);
    await harness.end(second);
    expect((await client.query({ ...named, values: [5] })).rows).toEqual([{ n: 5 }]);
  });

  it('aborts the transaction on both sides and lets ROLLBACK through', async () => {
    const client = await connect();
    await client.query('BEGIN');
    await client.query(INSERT, [1, 'one']);
    const id = await harness.arm('database', 'server_error');
    expectInjected(await failure(client.query(INSERT, [2, 'two'])));
    expect((await failure(client.query('SELECT 1'))).code).toBe('25P02'); // the server's own, nothing put in
    expect((await client.query('ROLLBACK')).command).toBe('ROLLBACK');
    expect(harness.injector.activity()[0]).toMatchObject({ hits: 1, hitsByKind: { INSERT: 1 } });
    await harness.end(id);
    expect(await count(client)).toBe(0);
  });

  it('survives in a savepoint', async () => {
    const client = await connect();
    await client.query('BEGIN');
    await client.query(INSERT, [1, 'one']);
    await client.query('SAVEPOINT s');
    await harness.arm('database', 'server_error', { match: { sql: 'insert' } });
    expectInjected(await failure(client.query("INSERT INTO things VALUES (2, 'two')")));
    await client.query('ROLLBACK TO SAVEPOINT s');
    await harness.endAll();
    await client.query('COMMIT');
    expect(await count(client)).toBe(1);
  });

  it.each([
    ['simple', 'COMMIT'],
    ['extended', { text: 'COMMIT', values: [], queryMode: 'extended' }],
  ])('turns a failed COMMIT (%s) into a rollback and an idle connection', async (_kind, commit) => {
    const client = await connect();
    await client.query('BEGIN');
    await client.query(INSERT, [1, 'one']);
    const id = await harness.arm('database', 'server_error', { match: { sql: 'commit' } });
    expectInjected(await failure(client.query(commit as pg.QueryConfig)));
    await harness.end(id);
    expect(await count(client)).toBe(0);
    // Idle: a statement of its own commits at once, seen by another connection.
    await client.query(INSERT, [2, 'two']);
    expect(await count(await connect())).toBe(1);
  });

  it('leaves COPY and statements without match alone', async () => {
    const client = await connect();
    const id = await harness.arm('database', 'server_error', { match: { sql: 'nowhere' } });
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    await harness.end(id);
    await harness.arm('database', 'server_error');
    expect((await client.query('COPY things TO STDOUT')).command).toBe('COPY');
  });

  it('fails a repeatable share under intermittent and counts every hit', async () => {
    const client = await connect();
    const run = async () => {
      const id = await harness.arm('database', 'intermittent', { ratio: 0.2, seed: 3 });
      const outcomes: boolean[] = [];
      for (let n = 0; n < 100; n++) {
        outcomes.push(
          await client.query(INSERT, [n, 'x']).then(
            () => true,
            () => false,
          ),
        );
      }
      expect(harness.injector.activity()[0]).toMatchObject({
        hits: outcomes.filter((ok) => !ok).length,
        seen: 100,
      });
      await harness.end(id);
      expect(await count(client)).toBe(outcomes.filter((ok) => ok).length);
      await client.query('TRUNCATE things');
      return outcomes;
    };
    const first = await run();
    expect(first.filter((ok) => !ok).length).toBeGreaterThan(10);
    expect(first.filter((ok) => !ok).length).toBeLessThan(32);
    expect(await run()).toEqual(first);
  });

  it('leaves exactly the transactions that the client saw committed, whatever was hit in them', async () => {
    const client = await connect();
    const random = createRandom(2024);
    await harness.arm('database', 'intermittent', { ratio: 0.15, seed: 8 });
    const believed: number[] = [];
    for (let n = 0; n < 60; n++) {
      const ids = [n * 10, n * 10 + 1];
      try {
        await client.query('BEGIN');
        for (const id of ids) {
          const kind = random();
          if (kind < 0.33) await client.query(`INSERT INTO things VALUES (${id}, 'simple')`);
          else if (kind < 0.66) await client.query(INSERT, [id, 'parameters']);
          else await client.query({ name: 'insert', text: INSERT, values: [id, 'named'] });
        }
        if ((await client.query('COMMIT')).command === 'COMMIT') believed.push(...ids);
      } catch (error) {
        expectInjected(error as pg.DatabaseError);
        await client.query('ROLLBACK');
      }
    }
    await harness.endAll();
    const { rows } = await client.query('SELECT id FROM things ORDER BY id');
    expect(rows.map((row) => row.id)).toEqual(believed);
    expect(believed.length).toBeGreaterThan(20);
    expect(believed.length).toBeLessThan(120);
  });

  it('delays queries and passes what waits at once when the fault ends', async () => {
    const client = await connect();
    const id = await harness.arm('database', 'latency', { params: { latencyMs: 200 } });
    await vi.waitFor(async () => {
      const startedAt = performance.now();
      await client.query('SELECT $1::int', [1]);
      const tookMs = performance.now() - startedAt;
      expect(tookMs).toBeGreaterThanOrEqual(195);
      expect(tookMs).toBeLessThan(390); // once a query, not once a message
    }, 8000);
    await harness.end(id);
    const slow = await harness.arm('database', 'latency', { params: { latencyMs: 10_000 } });
    const waiting = client.query('SELECT 7 AS n');
    await harness.end(slow);
    expect((await waiting).rows).toEqual([{ n: 7 }]);
  });

  it('holds bytes under a time-out and resets what was held at its end', async () => {
    const held = await connect();
    const idle = await connect();
    await held.query('BEGIN');
    await held.query(INSERT, [1, 'one']);
    const id = await harness.arm('database', 'timeout');
    const hanging = failure(held.query('COMMIT'));
    const connecting = failure(makeClient({ connectionTimeoutMillis: 300 }).connect());
    expect((await connecting).message).toMatch(/timeout/);
    await harness.end(id);
    expect((await hanging).message).toBeDefined();
    expect(await count(idle)).toBe(0);
    expect((await (await connect()).query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });

  it.each(['connection_error', 'unavailable'])('refuses under %s and is clean right after', async (type) => {
    const client = await connect();
    const gone = new Promise((resolve) => client.once('end', resolve));
    const id = await harness.arm('database', type);
    await gone;
    expect((await failure(makeClient().connect())).code).toBe('ECONNREFUSED');
    await harness.end(id);
    expect((await (await connect()).query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });

  it('lets a running query finish before connection_error closes its connection', async () => {
    const client = await connect();
    const before = proxy.traffic.totals.requests;
    const running = client.query('SELECT pg_sleep(0.2), 8 AS n');
    await vi.waitFor(() => expect(proxy.traffic.totals.requests).toBeGreaterThan(before), 5000);
    await harness.arm('database', 'connection_error');
    expect((await running).rows[0].n).toBe(8);
    expect((await failure(client.query('SELECT 1'))).message).toMatch(/terminated|not queryable|ended/);
  });

  it('passes Cancel requests', async () => {
    const client = await connect();
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
    const running = failure(client.query('SELECT pg_sleep(10)'));
    const observer = await connect();
    await vi.waitFor(async () => {
      const active = await observer.query(
        "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state = 'active'",
        [rows[0].pid],
      );
      expect(active.rowCount).toBe(1);
    }, 8000);
    const canceller = new pg.Client({ host: '127.0.0.1', port: proxy.port });
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    expect(processID).toBe(rows[0].pid);
    const { connection } = canceller as unknown as {
      connection: {
        connect(port: number, host: string): void;
        once(event: string, listener: () => void): void;
        cancel(pid: number, key: number): void;
      };
    };
    connection.once('connect', () => connection.cancel(processID, secretKey));
    connection.connect(proxy.port, '127.0.0.1');
    expect((await running).code).toBe('57014');
  });

  it('passes the refusal of TLS and goes on in clear when the client does', async () => {
    const refused = await failure(makeClient({ ssl: true }).connect());
    expect(refused.message).toMatch(/does not support SSL/);
  });
});
