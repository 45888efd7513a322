import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
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

async function connect(port = proxy.port): Promise<pg.Client> {
  const { user, password, database } = postgres;
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user,
    password,
    database,
    connectionTimeoutMillis: 3000,
  });
  client.on('error', () => {});
  clients.push(client);
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

const INSERT = 'INSERT INTO things VALUES ($1, $2)';
const activity = () => harness.injector.activity()[0];
const expired = () => vi.waitFor(() => expect(harness.injector.all()).toEqual([]), 8000);

async function count(client: pg.Client): Promise<number> {
  return (await client.query('SELECT count(*)::int AS n FROM things')).rows[0].n;
}

describe('query_error', () => {
  it('fails matching queries with the SQLSTATE that was chosen, until its TTL', async () => {
    const client = await connect();
    const id = await harness.arm('database', 'query_error', {
      params: { sqlState: '23514' },
      match: { sql: 'into things' },
      ttlMs: 2500,
    });
    const simple = await failure(client.query("INSERT INTO things VALUES (1, 'one')"));
    const prepared = await failure(client.query({ name: 'st', text: INSERT, values: [1, 'one'] }));
    for (const error of [simple, prepared]) {
      expect(error).toMatchObject({ code: '23514', severity: 'ERROR', detail: `[brownout:${id}]` });
    }
    expect((await client.query('SELECT 2 AS n')).rows).toEqual([{ n: 2 }]);
    expect(activity()).toMatchObject({ hits: 2, hitsByKind: { INSERT: 2 } });
    await expired();
    await client.query({ name: 'st', text: INSERT, values: [1, 'one'] });
    expect(await count(client)).toBe(1);
  });

  it('refuses a SQLSTATE that is none, or that is no error', async () => {
    for (const sqlState of ['4000', '400011', '4000a', "'; DR", '00000', '01000', '02000']) {
      await expect(harness.arm('database', 'query_error', { params: { sqlState } })).rejects.toMatchObject({
        field: 'params.sqlState',
      });
    }
  });
});

describe('deadlock', () => {
  it('makes statements that lock its victim, aborts the transaction, and leaves reads alone', async () => {
    const client = await connect();
    await client.query('BEGIN');
    await client.query(INSERT, [1, 'one']);
    const id = await harness.arm('database', 'deadlock', { ratio: 1 });
    expect(await count(client)).toBe(1);
    const error = await failure(client.query('UPDATE things SET name = $1', ['new']));
    expect(error).toMatchObject({ code: '40P01', message: 'deadlock detected', detail: `[brownout:${id}]` });
    expect((await failure(client.query('SELECT 1'))).code).toBe('25P02');
    await client.query('ROLLBACK');
    expect((await failure(client.query('SELECT * FROM things FOR UPDATE'))).code).toBe('40P01');
    expect(activity()).toMatchObject({ hits: 2, seen: 2, hitsByKind: { UPDATE: 1, SELECT: 1 } });
    await harness.end(id);
    await client.query(INSERT, [1, 'one']);
    expect(await count(client)).toBe(1);
  });
});

describe('slow_query', () => {
  it('without a match slows every query, and no start-up of a connection', async () => {
    await harness.arm('database', 'slow_query', { params: { latencyMs: 1500 } });
    const client = await vi.waitFor(async () => {
      const beganMs = performance.now();
      const connected = await connect();
      expect(performance.now() - beganMs).toBeLessThan(1400);
      return connected;
    }, 10_000);
    const startedMs = performance.now();
    await client.query('SELECT 1');
    expect(performance.now() - startedMs).toBeGreaterThan(1490);
    expect(activity()).toMatchObject({ seen: 1, hitsByKind: { SELECT: 1 } });
  });

  it('delays matching queries only, beside latency, and neither connecting nor the others', async () => {
    const client = await connect();
    const timed = async (work: () => Promise<unknown>) => {
      const startedMs = performance.now();
      await work();
      return performance.now() - startedMs;
    };
    const isQuick = (work: () => Promise<unknown>) =>
      vi.waitFor(async () => expect(await timed(work)).toBeLessThan(300), 5000);
    const id = await harness.arm('database', 'slow_query', {
      params: { latencyMs: 400 },
      match: { sql: 'things' },
    });
    await isQuick(() => client.query('SELECT 1'));
    await isQuick(connect);
    expect(await timed(() => count(client))).toBeGreaterThanOrEqual(395);
    const both = await harness.arm('database', 'latency', { params: { latencyMs: 300 } });
    expect(await timed(() => count(client))).toBeGreaterThanOrEqual(695);
    await harness.end(both);
    expect(activity()).toMatchObject({ hits: 2, hitsByKind: { SELECT: 2 } });
    await harness.end(id);
    await isQuick(() => count(client));
  });
});

describe('connection_lost', () => {
  it('ends the backend in the middle of a transaction, which the server rolls back', async () => {
    const client = await connect();
    const id = await harness.arm('database', 'connection_lost');
    await client.query(INSERT, [9, 'outside a transaction']);
    await client.query('BEGIN');
    const error = await failure(client.query(INSERT, [1, 'one']));
    expect(error).toMatchObject({ code: '57P01', severity: 'FATAL', detail: `[brownout:${id}]` });
    await expect(client.query('SELECT 1')).rejects.toThrow();
    expect(activity()).toMatchObject({ hits: 1, hitsByKind: { INSERT: 1 } });
    await harness.end(id);
    const again = await connect();
    const open = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    await vi.waitFor(async () => expect((await again.query(open)).rows).toEqual([{ n: 0 }]), 8000);
    expect(await count(again)).toBe(1);
  });

  it('resets instead when told to, and takes a COMMIT away', async () => {
    const client = await connect();
    await harness.arm('database', 'connection_lost', { params: { how: 'reset' }, match: { sql: 'commit' } });
    await client.query('BEGIN');
    await client.query(INSERT, [1, 'one']);
    const error = await failure(client.query('COMMIT'));
    expect(error.code ?? error.message).toMatch(/ECONNRESET|terminated/);
    await harness.endAll();
    expect(await count(await connect())).toBe(0);
  });

  it('hits statements outside transactions when told to', async () => {
    const client = await connect();
    await harness.arm('database', 'connection_lost', { params: { when: 'any' } });
    expect((await failure(client.query('SELECT $1::int', [2]))).code).toBe('57P01');
  });
});

describe('too_many_connections', () => {
  it('refuses connections at start-up and leaves open ones alone, until its TTL', async () => {
    const open = await connect();
    const id = await harness.arm('database', 'too_many_connections', { ttlMs: 2500 });
    const error = await failure(connect());
    expect(error).toMatchObject({
      code: '53300',
      severity: 'FATAL',
      message: 'sorry, too many clients already',
      detail: `[brownout:${id}]`,
    });
    expect((await open.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    expect(activity()).toMatchObject({ hits: 1, hitsByKind: { connect: 1 }, seen: 1 });
    await expired();
    expect(await count(await connect())).toBe(0);
  });
});
