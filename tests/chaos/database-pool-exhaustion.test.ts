import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest';
import { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import { retry } from '#lib/chaos/retry/retry.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import type { PoolStatus } from '#lib/protocol/state.ts';
import type { Database, Queryable } from '#server/pipeline/database/database.ts';
import { CheckoutTimeoutError, isDatabaseTrouble } from '#server/pipeline/database/database-error.ts';
import { databaseUnavailable } from '#tests/support/fault-presets.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { calmScenariosOf, databaseThrough, factsSince, healthOf, logSince, reportOf } from './real-parts.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ env: { PROFILE: 'test' } });
  await system.sql('CREATE TABLE scenario_notes (id int, text text)');
});
beforeEach(() => system.sql('TRUNCATE scenario_notes'));
afterAll(() => system?.close());

const scenario = calmScenariosOf('database-pool-exhaustion', () => system);

/** Statements of these tests alone take this much longer. */
const slowed = (latencyMs: number): Promise<Fault> =>
  system.startFault('database', 'slow_query', { params: { latencyMs }, match: { sql: 'scenario' } });

const PID = 'SELECT pg_backend_pid() AS pid /* scenario */';

const pidOf = async (database: Queryable) => (await database.query<{ pid: number }>(PID))[0]?.pid ?? 0;

const pidsOf = (database: Queryable, count: number) =>
  Promise.all(Array.from({ length: count }, () => pidOf(database)));

/** Whether the server still has the process behind a connection. */
const isServed = async (pid: number) =>
  (await system.sql('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid])).length > 0;

const notes = async () =>
  (await system.sql<{ text: string }>('SELECT text FROM scenario_notes ORDER BY 1')).map(({ text }) => text);

const note = (tx: Queryable, text: string) => tx.query('INSERT INTO scenario_notes VALUES (1, $1)', [text]);

const untilAtRest = (database: Database, size: number) =>
  until('the pool is at rest', 5000, () => {
    const { active, idle, overflow, waiting } = database.status();
    return (active === 0 && idle <= size && overflow === 0 && waiting === 0) || undefined;
  });

const poolOf = async (): Promise<PoolStatus> => {
  const [pool] = (await reportOf(system)).pools;
  if (!pool) throw new Error('The pipeline tells of no pool');
  return pool;
};

const answers = async (database: Database) => {
  await expect(database.query('SELECT 2 AS two')).resolves.toEqual([{ two: 2 }]);
};

const untilLogged = (
  since: number,
  msg: string,
  fits: (record: Record<string, unknown>) => boolean = () => true,
) =>
  until(`“${msg}” is logged`, 10_000, () =>
    logSince(system, since).find((record) => record['msg'] === msg && fits(record)),
  );

describe('database pool exhaustion', () => {
  scenario('concurrent-queries-with-small-pool-queue', async (prove) => {
    const database = databaseThrough(system, { size: 5, overflow: 5, checkoutMs: 10_000 });
    await prove({
      faults: await slowed(60),
      behaviour: async () => {
        const queries = Array.from({ length: 50 }, (_, n) =>
          database.query<{ n: number }>('SELECT $1::int AS n /* scenario */', [n]),
        );
        expect(database.status()).toMatchObject({ active: 10, overflow: 5, waiting: 40 });
        const results = await Promise.all(queries);
        expect(results.map(([row]) => row?.n)).toEqual(Array.from({ length: 50 }, (_, n) => n));
      },
      recovery: () => untilAtRest(database, 5).then(() => {}),
    });
  });

  scenario('pool-timeout-triggers-graceful-error', async (prove) => {
    const database = databaseThrough(system, {
      size: 1,
      overflow: 1,
      checkoutMs: 600,
      queryMs: 8000,
      overflowIdleMs: 60_000,
    });
    // Made before, so that it is not the making that takes too long.
    await until('both connections are there', 10_000, () => pidsOf(database, 2));
    await prove({
      faults: await slowed(1800),
      behaviour: async () => {
        const held = pidsOf(database, 2);
        const refused: unknown = await database.query('SELECT 2').catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(CheckoutTimeoutError);
        expect(refused).toMatchObject({
          code: 'CHECKOUT_TIMEOUT',
          message: expect.stringMatching(/^No database connection in time: 2 of 2 in use, 0 idle/),
        });
        expect(await held).toHaveLength(2);
      },
      recovery: () => answers(database),
    });
  });

  scenario('pool-exhaustion-logged-and-monitored', async (prove) => {
    const since = Date.now();
    const fault = await system.startFault('database', 'pool_exhaustion', { params: { connections: 10 } });
    await prove({
      faults: fault,
      behaviour: async () => {
        expect(await untilLogged(since, 'database pool exhausted')).toMatchObject({
          active: 10,
          idle: 0,
          max: 10,
          waiting: expect.any(Number),
        });
        await until('the figures say so', 5000, async () => {
          expect(await poolOf()).toMatchObject({ size: 5, overflow: 5, active: 10, idle: 0 });
          return true;
        });
        await until('the alert is told', 5000, async () =>
          (await factsSince(system, fault, 'alert')).some(({ code }) => code === 'POOL_EXHAUSTED'),
        );
      },
      recovery: async () => {
        await until('the pool has room', 10_000, async () => (await poolOf()).active < 5 || undefined);
      },
    });
  });

  scenario('unclosed-connection-detected', async (prove) => {
    const since = Date.now();
    const fault = await system.startFault('database', 'connection_leak', { params: { perMinute: 120 } });
    await prove({
      faults: fault,
      behaviour: async () => {
        // After a pause of its process the pipeline may tell of others, too.
        const record = await untilLogged(
          since,
          'a database connection is held for too long',
          ({ callSite }) => String(callSite).includes('pool-faults.ts'),
        );
        expect(record['heldMs']).toBeGreaterThanOrEqual(800);
        await until('the alert is told', 5000, async () =>
          (await factsSince(system, fault, 'alert')).some(({ code }) => code === 'CONNECTION_LEAK'),
        );
      },
      recovery: () =>
        until('none is held any more', 5000, async () => (await poolOf()).leaked === 0 || undefined).then(
          () => {},
        ),
    });
  });

  scenario('pool-statistics-expose-leak-metrics', async (prove) => {
    await prove({
      faults: await system.startFault('database', 'connection_leak', { params: { perMinute: 300 } }),
      behaviour: async () => {
        await until(
          'the leaks are in the figures',
          10_000,
          async () => (await poolOf()).leaked >= 2 || undefined,
        );
        expect((await poolOf()).active).toBeGreaterThanOrEqual(2);
      },
      recovery: () =>
        until('the figures are back', 10_000, async () => (await poolOf()).leaked === 0 || undefined).then(
          () => {},
        ),
    });
  });

  scenario('long-query-cancelled-after-timeout', async (prove) => {
    const database = databaseThrough(system, { statementMs: 500, queryMs: 4000, size: 1, overflow: 1 });
    await prove({
      faults: await slowed(50),
      behaviour: async () => {
        const pid = await pidOf(database);
        await expect(database.query('SELECT pg_sleep(5) /* scenario */')).rejects.toMatchObject({
          code: '57014',
        });
        // Cancelled, not abandoned: long before the 5 s are over. The error comes before its process is idle.
        await until('its process is idle', 3000, async () => {
          const rows = await system.sql('SELECT state FROM pg_stat_activity WHERE pid = $1', [pid]);
          expect(rows).toEqual([{ state: 'idle' }]);
          return true;
        });
        expect(await pidOf(database)).toBe(pid);
      },
      recovery: () => answers(database),
    });
  });

  scenario('slow-query-logs-performance-warning', async (prove) => {
    const since = Date.now();
    const fault = await system.startFault('database', 'slow_query', {
      params: { latencyMs: 300 },
      match: { sql: 'uploads' },
    });
    await prove({
      faults: fault,
      behaviour: async () => {
        // On a busy machine others are slow as well, and by less.
        const record = await untilLogged(
          since,
          'slow query',
          ({ sql, durationMs }) => String(sql).includes('uploads') && Number(durationMs) >= 300,
        );
        expect(record).toMatchObject({ level: 40 });
      },
      recovery: async () => {
        const stored = async () =>
          (await system.sql<{ count: number }>('SELECT count(*)::int AS count FROM uploads'))[0]?.count ?? 0;
        const before = await stored();
        await until('uploads are stored', 10_000, async () => (await stored()) > before || undefined);
      },
    });
  });

  scenario('long-query-blocks-pool-for-others', async (prove) => {
    const database = databaseThrough(system, { size: 1, overflow: 1, checkoutMs: 5000 });
    await prove({
      faults: await slowed(600),
      behaviour: async () => {
        const ended: string[] = [];
        const long = [1, 2].map(() => pidOf(database).then(() => ended.push('long')));
        const short = database.query('SELECT 2').then(() => ended.push('short'));
        expect(database.status()).toMatchObject({ active: 2, waiting: 1 });
        await Promise.all([...long, short]);
        expect(ended[0]).toBe('long');
      },
      recovery: async () => {
        const [first, second] = await Promise.all([pidOf(database), pidOf(database)]);
        expect(first).not.toBe(second);
      },
    });
  });

  scenario('stale-connection-recycled-on-checkout', async (prove) => {
    const database = databaseThrough(system, { size: 1, overflow: 1, maxLifetimeSeconds: 1 });
    await prove({
      faults: await slowed(20),
      behaviour: async () => {
        const old = await pidOf(database);
        await until(
          'another connection is used',
          5000,
          async () => (await pidOf(database)) !== old || undefined,
        );
        await until('the old one is gone', 5000, async () => !(await isServed(old)) || undefined);
      },
      recovery: () => answers(database),
    });
  });

  scenario('invalid-connection-detected-on-checkout', async (prove) => {
    const database = databaseThrough(system, { size: 1, overflow: 1, checkIdleMs: 0 });
    const old = await pidOf(database);
    await prove({
      faults: await system.startFault('database', 'connection_lost', {
        params: { when: 'any', how: 'reset' },
        match: { sql: 'SELECT 1' },
      }),
      behaviour: async () => {
        // The check before use finds it dead; the caller gets another one and sees no error.
        expect(await pidOf(database)).not.toBe(old);
        await until('the old one is gone', 5000, async () => !(await isServed(old)) || undefined);
      },
      recovery: async () => {
        const kept = await pidOf(database);
        expect(await pidOf(database)).toBe(kept);
      },
    });
  });

  scenario('overflow-connections-created-under-pressure', async (prove) => {
    const database = databaseThrough(system, { size: 2, overflow: 3, checkoutMs: 10_000 });
    await prove({
      faults: await slowed(300),
      behaviour: async () => {
        const pids = pidsOf(database, 5);
        expect(database.status()).toMatchObject({ active: 5, overflow: 3, waiting: 0 });
        expect(new Set(await pids).size).toBe(5);
        await until('the overflow is closed', 10_000, () => database.status().overflow === 0 || undefined);
        expect(database.status()).toMatchObject({ active: 0, idle: 2 });
      },
      recovery: () => answers(database),
    });
  });

  scenario('overflow-exhausted-triggers-queue', async (prove) => {
    const database = databaseThrough(system, { size: 1, overflow: 1, checkoutMs: 5000 });
    await prove({
      faults: await slowed(200),
      behaviour: async () => {
        const pids = pidsOf(database, 5);
        expect(database.status()).toMatchObject({ active: 2, overflow: 1, waiting: 3 });
        expect(new Set(await pids).size).toBe(2);
      },
      recovery: () => untilAtRest(database, 1).then(() => {}),
    });
  });

  scenario('connection-refused-raises-operational-error', async (prove) => {
    const breaker = new CircuitBreaker('database', { failureThreshold: 2, isFailure: isDatabaseTrouble });
    const database = databaseThrough(system, { guard: (work) => breaker.execute(work) });
    let refused = 0;
    await prove({
      faults: await databaseUnavailable(system),
      behaviour: async () => {
        for (const state of ['CLOSED', 'OPEN']) {
          await expect(database.query('SELECT 2')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
          refused++;
          expect(breaker.state).toBe(state);
        }
      },
      hitsOfClient: () => refused,
      recovery: async () => {
        breaker.close();
        await answers(database);
      },
    });
    breaker.dispose();
  });

  scenario('connection-refused-logged-and-alerted', async (prove) => {
    const since = Date.now();
    const fault = await databaseUnavailable(system);
    await prove({
      faults: fault,
      behaviour: async () => {
        const record = await untilLogged(since, 'database is down');
        expect(record).toMatchObject({ level: 40, service: 'database', healthy: false, origin: 'injected' });
        const alert = await until('the alert is told', 5000, async () =>
          (await factsSince(system, fault, 'alert')).find(
            ({ code, service }) => code === 'SERVICE_DOWN' && service === 'database',
          ),
        );
        expect(alert).toMatchObject({ count: 2 });
      },
      recovery: () =>
        until('the database is up', 10_000, async () => {
          return (await healthOf(system, 'database')).healthy || undefined;
        }).then(() => {}),
    });
  });

  scenario('connection-lost-mid-transaction-rolls-back', async (prove) => {
    const database = databaseThrough(system);
    const write = () =>
      database.transaction(async (tx) => {
        await note(tx, 'first');
        await tx.query("UPDATE scenario_notes SET text = 'second'");
      });
    await prove({
      faults: await system.startFault('database', 'connection_lost', {
        match: { sql: 'UPDATE scenario_notes' },
      }),
      behaviour: async () => {
        await expect(write()).rejects.toMatchObject({ code: '57P01' });
        expect(await notes()).toEqual([]);
        await answers(database);
      },
      recovery: async () => {
        await expect(write()).resolves.toBeUndefined();
        expect(await notes()).toEqual(['second']);
      },
    });
  });

  scenario('connection-reset-during-execute', async (prove) => {
    const database = databaseThrough(system);
    const failures: unknown[] = [];
    const write = (text: string) =>
      retry(() => database.transaction((tx) => note(tx, text)), {
        baseMs: 20,
        onRetry: ({ error }) => failures.push(error),
      });
    await prove({
      faults: await system.startFault('database', 'connection_lost', {
        params: { when: 'any', how: 'reset' },
        match: { sql: 'scenario_notes' },
        failFirst: 1,
      }),
      behaviour: async () => {
        await expect(write('once')).resolves.toEqual([]);
        expect(failures.map((error) => isDatabaseTrouble(error))).toEqual([true]);
        expect(await notes()).toEqual(['once']);
      },
      recovery: async () => {
        await write('twice');
        expect(failures).toHaveLength(1);
        expect(await notes()).toEqual(['once', 'twice']);
      },
    });
  });

  scenario('deadlock-detected-and-retried', async (prove) => {
    const database = databaseThrough(system, { statementMs: 5000, queryMs: 6000 });
    let attempts = 0;
    await prove({
      faults: await system.startFault('database', 'deadlock', {
        ratio: 1,
        failFirst: 2,
        match: { sql: 'scenario_notes' },
      }),
      behaviour: async () => {
        const write = database.transaction(async (tx) => {
          attempts++;
          await note(tx, `attempt ${attempts}`);
        });
        await expect(write).resolves.toBeUndefined();
        expect(await notes()).toEqual(['attempt 3']);
        await system.sql("INSERT INTO scenario_notes VALUES (2, 'b'), (3, 'c')");
        // Two transactions that take the same rows in opposite order: the server really ends one of them.
        let [runs, holders] = [0, 0];
        const crossing = (first: number, second: number) =>
          database.transaction(async (tx) => {
            runs++;
            const append = (id: number) =>
              tx.query("UPDATE scenario_notes SET text = text || '+' WHERE id = $1", [String(id)]);
            await append(first);
            holders++;
            await until('both hold a row', 3000, () => holders >= 2, 10);
            await append(second);
          });
        await expect(Promise.all([crossing(2, 3), crossing(3, 2)])).resolves.toHaveLength(2);
        expect(runs).toBe(3);
        expect(await notes()).toEqual(['attempt 3', 'b++', 'c++']);
      },
      recovery: () => answers(database),
    });
  });

  scenario('deadlock-logged-with-query-context', async (prove) => {
    const since = Date.now();
    const fault = await system.startFault('database', 'deadlock', {
      ratio: 1,
      failFirst: 2,
      match: { sql: 'event' },
    });
    await prove({
      faults: fault,
      behaviour: async () => {
        expect(await untilLogged(since, 'transaction repeated')).toMatchObject({
          level: 40,
          code: '40P01',
          attempt: 1,
          sql: expect.stringMatching(/^(INSERT|UPDATE|WITH|DELETE).*event/i),
        });
      },
      recovery: async () => {
        const stored = async () =>
          (await system.sql<{ count: number }>('SELECT count(*)::int AS count FROM events'))[0]?.count ?? 0;
        const before = await stored();
        await until('events are stored', 10_000, async () => (await stored()) > before || undefined);
      },
    });
  });

  scenario('long-transaction-times-out', async (prove) => {
    const database = databaseThrough(system, { statementMs: 2400, queryMs: 2500 });
    const write = () => database.transaction((tx) => note(tx, 'long'));
    await prove({
      faults: await slowed(6000),
      behaviour: async () => {
        await expect(write()).rejects.toThrow('Query read timeout');
        expect(database.status()).toMatchObject({ active: 0, idle: 0 }); // the connection went with it
      },
      recovery: async () => {
        expect(await notes()).toEqual([]);
        await expect(write()).resolves.toEqual([]);
        expect(await notes()).toEqual(['long']);
      },
    });
  });

  scenario('idle-in-transaction-timeout', async (prove) => {
    const database = databaseThrough(system, { idleInTransactionMs: 2000 });
    let endedByServer = false;
    const idle = () =>
      database.transaction(async (tx) => {
        await note(tx, 'idle');
        const pid = await pidOf(tx);
        await until('the server has ended it', 10_000, async () => !(await isServed(pid)) || undefined);
        endedByServer = true;
        await tx.query('SELECT 2');
      });
    await prove({
      faults: await slowed(20),
      behaviour: async () => {
        await expect(idle()).rejects.toSatisfy(isDatabaseTrouble);
        expect(endedByServer, 'ended by the server while it was idle').toBe(true);
        expect(await notes()).toEqual([]);
      },
      recovery: async () => {
        await database.transaction((tx) => note(tx, 'quick'));
        expect(await notes()).toEqual(['quick']);
      },
    });
  });
});
