import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { validateFault } from '#lib/chaos/faults/validate.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { CheckoutTimeoutError } from './database-error.ts';
import { PoolFaults } from './pool-faults.ts';

/** A real pool on a real PostgreSQL. */
let postgres: TestPostgres;
const endings: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
}, 30_000);
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});
afterAll(() => postgres.close());

function start(overrides: Partial<DatabaseOptions> = {}): { database: Database; injector: FaultInjector } {
  const { host, port, user, password, database: name } = postgres;
  const database = new Database({
    host,
    port,
    user,
    password,
    database: name,
    checkoutMs: 2000,
    leakAfterMs: 50,
    ...overrides,
  });
  const pool = new PoolFaults(database, (id) => injector.recordHit(id, 'connection'));
  const injector: FaultInjector = new FaultInjector({ effect: pool });
  endings.push(() => database.close());
  endings.push(() => injector.close());
  return { database, injector };
}

async function arm(injector: FaultInjector, type: string, params: object = {}, ttlMs = 60_000) {
  const id = `f-${type}`;
  await injector.arm({
    id,
    version: 1,
    service: 'database',
    type,
    params: validateFault('database', type, params).params,
    ratio: 1,
    seed: 1,
    ttlMs,
  });
  return id;
}

const ONE = [{ one: 1 }];

describe('pool_exhaustion', () => {
  it('with fewer connections leaves the rest; a change of strength acts at once', async () => {
    const { database, injector } = start();
    await arm(injector, 'pool_exhaustion', { connections: 9 });
    expect(await database.query('SELECT 1 AS one')).toEqual(ONE);
    const [spec] = injector.all();
    if (!spec) throw new Error('not armed');
    await injector.change({ ...spec, version: 2, params: { connections: 10 } });
    await expect(database.query('SELECT 1')).rejects.toBeInstanceOf(CheckoutTimeoutError);
    await injector.change({ ...spec, version: 3, params: { connections: 2 } });
    expect(await database.query('SELECT 1 AS one')).toEqual(ONE);
    expect(database.status().active).toBe(2);
  });

  it('waits for what others have in hand and then holds it too', async () => {
    const { database, injector } = start({ size: 1, overflow: 1, statementMs: 1500 });
    const busy = database.query('SELECT pg_sleep(1.2)');
    await vi.waitFor(() => expect(database.status().active).toBe(1), { timeout: 5000, interval: 20 });
    await arm(injector, 'pool_exhaustion', { connections: 2 });
    await busy; // nobody's work is broken
    await vi.waitFor(() => expect(injector.activity()[0]?.hits).toBe(2), { timeout: 8000 });
    await expect(database.query('SELECT 1')).rejects.toBeInstanceOf(CheckoutTimeoutError);
    await injector.end('f-pool_exhaustion', 'stopped');
    expect(await database.query('SELECT 1 AS one')).toEqual(ONE);
  });

  it('opens the breaker, which closes by itself after the lease has run out', async () => {
    const breaker = new CircuitBreaker('database', {
      failureThreshold: 2,
      recoveryTimeoutMs: 100,
      successThreshold: 1,
    });
    endings.push(async () => breaker.dispose());
    const { database, injector } = start({ guard: (work) => breaker.execute(work) });
    await arm(injector, 'pool_exhaustion', {}, 6500);
    for (let call = 0; call < 2; call++) await expect(database.query('SELECT 1')).rejects.toThrow();
    expect(breaker.state).toBe('OPEN');
    await vi.waitFor(() => expect(injector.all()).toEqual([]), { timeout: 12_000 });
    await vi.waitFor(
      async () => {
        await database.query('SELECT 1');
        expect(breaker.state).toBe('CLOSED');
      },
      { timeout: 8000 },
    );
  });
});

describe('connection_leak', () => {
  it('goes on until none is left, and gives back what it gets after its end', async () => {
    const { database, injector } = start();
    const id = await arm(injector, 'connection_leak', { perMinute: 600 });
    expect(await database.query('SELECT 1 AS one')).toEqual(ONE); // some are left
    await vi.waitFor(() => expect(database.status().active).toBe(10), { timeout: 10_000 });
    await expect(database.query('SELECT 1')).rejects.toBeInstanceOf(CheckoutTimeoutError);
    const activity = await injector.end(id, 'stopped');
    expect(activity?.hits).toBe(10);
    expect(await database.query('SELECT 1 AS one')).toEqual(ONE);
    await vi.waitFor(() => expect(database.status()).toMatchObject({ active: 0, leaked: 0 }), {
      timeout: 8000,
    });
  });
});
