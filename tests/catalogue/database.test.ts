import pg from 'pg';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { failureOf, isRefused, takesAtLeast } from '#tests/support/bare-connection.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { until } from '#tests/support/until.ts';
import { type FaultProof, proveFault } from './prove-fault.ts';

let server: TestPostgres;
/** Past the proxies, for what the server itself believes. */
let direct: pg.Pool;
let runs = 0;

vi.setConfig({ maxConcurrency: 8 }); // they mostly wait

beforeAll(async () => {
  server = await startTestPostgres();
  const { host, port, user, password, database } = server;
  direct = new pg.Pool({ host, port, user, password, database, max: 4 });
  // `end` does not wait for its connections, and the server is stopped right after.
  direct.on('error', () => {});
  direct.on('connect', (client) => client.on('error', () => {}));
  await direct.query('CREATE TABLE things (run int, n int)');
}, 60_000);
afterAll(async () => {
  await direct.end();
  await server.close();
});

/** A connection through the proxy with what became of it. */
interface Session {
  readonly client: pg.Client;
  /** The server process behind it. */
  readonly pid: number;
  /** How it ended: the code of its error, or "closed" for a FIN. */
  readonly ended: string | undefined;
}

interface DatabaseBench {
  readonly injector: FaultInjector;
  readonly arm: ProxyHarness['arm'];
  readonly change: ProxyHarness['change'];
  readonly port: number;
  /** Made before the fault. */
  readonly open: Session;
  connect(): Promise<Session>;
  /** `open`, or another one when it is gone. */
  session(): Promise<Session>;
  close(): Promise<void>;
}

async function openBench(): Promise<DatabaseBench> {
  const harness = startProxyHarness();
  const { port } = await harness.open('database', server);
  const sessions: Session[] = [];
  const connect = async () => {
    const { user, password, database } = server;
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user,
      password,
      database,
      connectionTimeoutMillis: 5000,
    });
    let ended: string | undefined;
    client.on('error', (error: NodeJS.ErrnoException) => {
      ended ??= error.code ?? 'closed';
    });
    client.on('end', () => {
      ended ??= 'closed';
    });
    await client.connect();
    const { pid } = (await client.query('SELECT pg_backend_pid() AS pid')).rows[0] as { pid: number };
    const session = {
      client,
      pid,
      get ended() {
        return ended;
      },
    };
    sessions.push(session);
    return session;
  };
  const open = await connect();
  return {
    injector: harness.injector,
    arm: harness.arm,
    change: harness.change,
    port,
    open,
    connect,
    session: async () => sessions.findLast(({ ended }) => ended === undefined) ?? connect(),
    async close() {
      await Promise.all(sessions.map(({ client }) => client.end().catch(() => {})));
      await harness.close();
    },
  };
}

const prove = (type: string, proof: Omit<FaultProof<DatabaseBench>, 'serves'>) =>
  proveFault('database', type, openBench, {
    async serves({ session }) {
      const { client } = await session();
      return (await client.query('SELECT 1 AS n')).rows[0].n === 1;
    },
    ...proof,
  });

const INSERT = 'INSERT INTO things VALUES ($1, $2)';

/** The error by which `work` fails, as SQLSTATE, severity and detail; undefined when it does not. */
const errorOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    ({ code, severity, detail, message }: pg.DatabaseError) => ({ code, severity, detail, message }),
  );
const injected = (type: string, code: string, severity = 'ERROR') =>
  expect.objectContaining({ code, severity, detail: `[brownout:proof-database-${type}]` });

async function stored(run: number): Promise<number> {
  return (await direct.query('SELECT count(*)::int AS n FROM things WHERE run = $1', [run])).rows[0].n;
}

/** What the server takes a connection for; undefined when it has none of this process. */
async function stateOf({ pid }: Session): Promise<string | undefined> {
  return (await direct.query('SELECT state FROM pg_stat_activity WHERE pid = $1', [pid])).rows[0]?.state;
}

prove('latency', {
  params: { latencyMs: 200 },
  ttlMs: 2500,
  hitKind: 'VALUES',
  seesEffect: ({ open }) => takesAtLeast(195, () => open.client.query('VALUES ($1)', [1])),
});

prove('slow_query', {
  params: { latencyMs: 200 },
  match: { sql: 'things' },
  ttlMs: 2500,
  hitKind: 'SELECT',
  async seesEffect({ open, connect }) {
    if (!(await takesAtLeast(195, () => open.client.query('SELECT count(*) FROM things')))) return false;
    const others = () => takesAtLeast(195, () => open.client.query('VALUES (1)'));
    return !(await others()) && !(await takesAtLeast(195, connect));
  },
});

prove('timeout', {
  params: { delayMs: 300 },
  ttlMs: 1500,
  hitKind: 'bytes from client',
  async seesEffect({ session, connect }) {
    const run = ++runs;
    const { client } = await session();
    const startedMs = performance.now();
    const said = await Promise.all([failureOf(client.query(INSERT, [run, 1])), failureOf(connect())]);
    if (said.join('') === '') return false;
    expect(await stored(run)).toBe(0);
    return (
      performance.now() - startedMs > 295 &&
      said.every((text) => text === 'Connection terminated unexpectedly')
    );
  },
});

prove('connection_error', {
  hitKind: 'connection',
  seesEffect: async ({ open, port }) => (await isRefused(port)) && open.ended === 'closed',
});

prove('unavailable', {
  hitKind: 'connection',
  seesEffect: async ({ open, port }) => (await isRefused(port)) && open.ended === 'ECONNRESET',
});

prove('server_error', {
  hitKind: 'INSERT',
  async seesEffect({ open }) {
    const run = ++runs;
    const { client } = open;
    const said = [
      await errorOf(client.query(`INSERT INTO things VALUES (${run}, 1)`)),
      await errorOf(client.query(INSERT, [run, 2])),
      await errorOf(client.query({ name: 'insert', text: INSERT, values: [run, 3] })),
    ];
    if (said.every((error) => error === undefined)) return false;
    expect(said).toEqual(Array(3).fill(injected('server_error', '58000')));
    // The connection lives, and the server knows of no transaction and no row.
    expect([await stateOf(open), await stored(run)]).toEqual(['idle', 0]);
    return true;
  },
});

prove('intermittent', {
  hitKind: 'INSERT',
  async seesEffect({ open }) {
    const run = ++runs;
    const failed: unknown[] = [];
    for (let n = 0; n < 24; n++) {
      const error = await errorOf(open.client.query(INSERT, [run, n]));
      if (error) failed.push(error);
    }
    expect(failed).toEqual(failed.map(() => injected('intermittent', '58000')));
    expect(await stored(run)).toBe(24 - failed.length);
    return failed.length > 0 && failed.length < 24;
  },
});

prove('query_error', {
  match: { sql: 'things' },
  hitKind: 'INSERT',
  async seesEffect({ open }) {
    const run = ++runs;
    const { client } = open;
    await client.query('BEGIN');
    const said = await errorOf(client.query(INSERT, [run, 1]));
    const after = await errorOf(client.query('VALUES (1)'));
    const state = await stateOf(open);
    await client.query('ROLLBACK');
    expect([await stateOf(open), await stored(run)]).toEqual(['idle', 0]);
    if (said === undefined && after === undefined) return false;
    expect(said).toEqual(injected('query_error', '40001'));
    expect([after?.code, state]).toEqual(['25P02', 'idle in transaction (aborted)']);
    return true;
  },
});

prove('deadlock', {
  hitKind: 'UPDATE',
  async seesEffect({ open }) {
    const run = ++runs;
    const { client } = open;
    await direct.query('INSERT INTO things VALUES ($1, 0)', [run]);
    const failed: unknown[] = [];
    for (let n = 0; n < 24; n++) {
      await client.query('SELECT n FROM things WHERE run = $1', [run]); // locks no row: nobody's victim
      const error = await errorOf(client.query('UPDATE things SET n = n + 1 WHERE run = $1', [run]));
      if (error) failed.push(error);
    }
    expect(failed).toEqual(failed.map(() => injected('deadlock', '40P01')));
    const [row] = (await direct.query('SELECT n FROM things WHERE run = $1', [run])).rows;
    expect(row.n).toBe(24 - failed.length);
    return failed.length > 0;
  },
});

prove('connection_lost', {
  hitKind: 'INSERT',
  async seesEffect({ session }) {
    const run = ++runs;
    const at = await session();
    await at.client.query('VALUES (1)'); // outside a transaction nothing is lost
    await at.client.query('BEGIN');
    const said = await errorOf(at.client.query(INSERT, [run, 1]));
    if (said === undefined) {
      await at.client.query('ROLLBACK');
      return false;
    }
    await until('the server has ended its side', 5000, async () => (await stateOf(at)) === undefined, 10);
    expect(await stored(run)).toBe(0);
    expect(said).toEqual(injected('connection_lost', '57P01', 'FATAL'));
    return true;
  },
});

prove('too_many_connections', {
  hitKind: 'connect',
  async seesEffect({ open, connect }) {
    const said = await errorOf(connect());
    expect((await open.client.query('VALUES (1)')).rowCount).toBe(1);
    if (said === undefined) return false;
    expect(said).toEqual(injected('too_many_connections', '53300', 'FATAL'));
    return said.message === 'sorry, too many clients already';
  },
});

it.concurrent('a changed strength acts on the open connection, in the transaction that is open', async () => {
  const { arm, change, open, close } = await openBench();
  const { client, pid } = open;
  const state = async () => (await errorOf(client.query('SELECT $1::int AS n', [1])))?.code;
  await client.query('BEGIN');
  await client.query('SAVEPOINT here');
  const id = await arm('database', 'query_error', { match: { sql: '$1' } });
  expect(await state()).toBe('40001');
  await client.query('ROLLBACK TO here');
  await change(id, { params: { sqlState: '23505' } });
  expect(await state()).toBe('23505');
  await client.query('ROLLBACK TO here');
  await change(id, { ratio: 0 });
  expect(await state()).toBeUndefined();
  await change(id, { ratio: 1 });
  expect(await state()).toBe('23505');
  await client.query('ROLLBACK');
  expect((await client.query('SELECT pg_backend_pid() AS pid')).rows).toEqual([{ pid }]);
  await close();
});
