/** Faults in the pool of the pipeline: a real pool on a real PostgreSQL. */
import { Client } from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { Database } from '#server/pipeline/database/database.ts';
import { CheckoutTimeoutError } from '#server/pipeline/database/database-error.ts';
import { PoolFaults } from '#server/pipeline/database/pool-faults.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { until } from '#tests/support/until.ts';
import { type FaultBench, proveFault } from './prove-fault.ts';

interface PoolBench extends FaultBench {
  readonly database: Database;
  /** Where connections were checked out that were then forgotten. */
  readonly leaks: string[];
  /** Connections of this pool as the server counts them, asked on a connection of our own. */
  backends(): Promise<number>;
}

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres();
}, 30_000);
afterAll(() => postgres.close());

let count = 0;

async function open(): Promise<PoolBench> {
  const { host, port, user, password, database: name } = postgres;
  const account = { host, port, user, password };
  const outside = new Client({ ...account, database: name });
  await outside.connect();
  // Each pool in a database of its own, so that the server can count its connections.
  const own = `pool_${++count}`;
  await outside.query(`create database ${own}`);
  const leaks: string[] = [];
  const database = new Database({
    ...account,
    database: own,
    checkoutMs: 800,
    leakAfterMs: 100,
    onLeak: ({ callSite }) => leaks.push(callSite),
  });
  const pool = new PoolFaults(database, (id) => injector.recordHit(id, 'connection'));
  const injector: FaultInjector = new FaultInjector({ effect: pool });
  return {
    injector,
    database,
    leaks,
    async backends() {
      const { rows } = await outside.query<{ count: number }>(
        'select count(*)::int as count from pg_stat_activity where datname = $1',
        [own],
      );
      return rows[0]?.count ?? -1;
    },
    async close() {
      await injector.close();
      await database.close();
      await outside.end();
    },
  };
}

/** Work gets a connection, and none is kept. */
async function serves({ database }: PoolBench): Promise<boolean> {
  await database.query('select 1');
  const { active, leaked } = database.status();
  return active === 0 && leaked === 0;
}

proveFault('database', 'pool_exhaustion', open, {
  ttlMs: 4000,
  hitKind: 'connection',
  serves,
  async seesEffect({ database, backends }) {
    const refused = await database.query('select 1').catch((error: unknown) => error);
    return (
      refused instanceof CheckoutTimeoutError &&
      /10 of 10 in use, 0 idle/.test(refused.message) &&
      (await backends()) === 10 // really held
    );
  },
  // What was above the pool's usual size is closed again.
  afterwards: async ({ backends }) => {
    await until('the server has 5 connections at most', 10_000, async () => (await backends()) <= 5);
  },
});

proveFault('database', 'connection_leak', open, {
  params: { perMinute: 600 },
  ttlMs: 3000,
  hitKind: 'connection',
  serves,
  async seesEffect({ database, leaks, backends, injector }) {
    const { leaked } = database.status();
    if (leaked < 3 || !leaks[0]?.includes('pool-faults.ts')) return false;
    const hits = injector.activity()[0]?.hits ?? 0;
    return hits >= leaked && (await backends()) >= leaked;
  },
});
