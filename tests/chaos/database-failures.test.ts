import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest';
import { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import { DegradationManager } from '#lib/chaos/degradation/degradation-manager.ts';
import type { ServiceHealth } from '#lib/protocol/state.ts';
import type { Queryable } from '#server/pipeline/database/database.ts';
import { isDatabaseTrouble } from '#server/pipeline/database/database-error.ts';
import { databaseSlow, databaseUnavailable } from '#tests/support/fault-presets.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import {
  calmScenariosOf,
  databaseThrough,
  directRedis,
  healthOf,
  managerOfDatabase,
  reportOf,
  untilFacts,
  untilLogHas,
  untilModeOf,
  viewerOf,
} from './real-parts.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ env: { PROFILE: 'test' } });
  await system.sql('CREATE TABLE scenario_notes (text text)');
  await until('there are events to read', 20_000, async () => {
    const [row] = await system.sql<{ count: number }>('SELECT count(*)::int AS count FROM events');
    return (row?.count ?? 0) > 0 && (await readEvents()).stale === false;
  });
});
beforeEach(() => system.sql('TRUNCATE scenario_notes'));
afterAll(() => system?.close());

const scenario = calmScenariosOf('database-failures', () => system);

interface Events {
  status: number;
  retryAfter: string | null;
  stale?: boolean;
  ageMs?: number;
  events?: { id: string }[];
}

/** What a viewer gets. */
async function readEvents(): Promise<Events> {
  const answer = await fetch(`${system.backendUrl}/api/events?limit=100`);
  const body = (await answer.json()) as Partial<Events>;
  return { ...body, status: answer.status, retryAfter: answer.headers.get('retry-after') };
}

async function reviewNewest(): Promise<{ status: number; retryAfter: string | null }> {
  const id = (await readEvents()).events?.[0]?.id;
  const answer = await fetch(`${system.backendUrl}/api/events/${id}/review`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ note: 'seen' }),
  });
  await answer.arrayBuffer();
  return { status: answer.status, retryAfter: answer.headers.get('retry-after') };
}

const untilFresh = () =>
  until('viewers get fresh events', 15_000, async () => (await readEvents()).stale === false || undefined);

const untilHealthy = (healthy: boolean): Promise<ServiceHealth> =>
  until(`the database is ${healthy ? 'up' : 'down'}`, 10_000, async () => {
    const found = await healthOf(system, 'database');
    return found.healthy === healthy ? found : undefined;
  });

const untilClosed = () =>
  until('the breaker of the database is closed', 15_000, async () => {
    const { breakers } = await reportOf(system);
    return breakers.find(({ name }) => name === 'database')?.state === 'CLOSED' || undefined;
  });

const notes = async () =>
  (await system.sql<{ text: string }>('SELECT text FROM scenario_notes ORDER BY 1')).map(({ text }) => text);

const note = (tx: Queryable, text: string) => tx.query('INSERT INTO scenario_notes VALUES ($1)', [text]);

/** Only statements of these tests are hit. */
const OWN = { match: { sql: 'scenario_notes' } };

describe('database failures', () => {
  scenario('degradation-manager-detects-database-failure', async (prove) => {
    const since = Date.now();
    const fault = await databaseUnavailable(system);
    await prove({
      faults: fault,
      behaviour: async () => {
        expect(await untilHealthy(false)).toMatchObject({ critical: true, origin: 'injected' });
        const told = { service: 'database', healthy: false, origin: 'injected' };
        await untilFacts(system, fault, 'serviceChanged', (changes) =>
          expect(changes).toContainEqual(expect.objectContaining(told)),
        );
        await untilLogHas(system, since, expect.objectContaining(told));
      },
      recovery: () => untilHealthy(true).then(() => {}),
    });
  });

  scenario('operational-error-handled-gracefully', async (prove) => {
    const breaker = new CircuitBreaker('database', { failureThreshold: 2, isFailure: isDatabaseTrouble });
    const database = databaseThrough(system, { guard: (work) => breaker.execute(work) });
    await prove({
      faults: await system.startFault('database', 'connection_lost', { params: { when: 'any' } }),
      behaviour: async () => {
        for (const state of ['CLOSED', 'OPEN']) {
          await expect(database.query('SELECT 2')).rejects.toMatchObject({ code: '57P01' });
          expect(breaker.state).toBe(state);
        }
        expect(database.status()).toMatchObject({ active: 0, idle: 0 });
        const stale = await until('viewers get what was known', 10_000, async () => {
          const answer = await readEvents();
          return answer.stale ? answer : undefined;
        });
        expect(stale).toMatchObject({ status: 200, ageMs: expect.any(Number) });
        expect(stale.events?.length).toBeGreaterThan(0);
      },
      recovery: async () => {
        breaker.close();
        await expect(database.query('SELECT 2 AS two')).resolves.toEqual([{ two: 2 }]);
        await untilFresh();
      },
    });
    breaker.dispose();
  });

  scenario('interface-error-handled-gracefully', async (prove) => {
    const breaker = new CircuitBreaker('database', { failureThreshold: 3, isFailure: isDatabaseTrouble });
    const database = databaseThrough(system, { guard: (work) => breaker.execute(work) });
    let kept: Queryable | undefined;
    const use = (text: string) =>
      database.transaction(async (tx) => {
        kept = tx;
        await note(tx, text);
      });
    await prove({
      faults: await system.startFault('database', 'connection_lost', OWN),
      behaviour: async () => {
        await expect(use('lost')).rejects.toMatchObject({ code: '57P01' });
        const released = breaker.execute(() => kept?.query('SELECT 2') ?? Promise.resolve([]));
        await expect(released).rejects.toMatchObject({ code: 'CLIENT_RELEASED' });
        expect(breaker.status()).toMatchObject({ state: 'CLOSED', failures: 1 }); // that of the lost connection
        await expect(database.query('SELECT 2 AS two')).resolves.toEqual([{ two: 2 }]);
      },
      recovery: async () => {
        await expect(use('stored')).resolves.toBeUndefined();
        expect(await notes()).toEqual(['stored']);
      },
    });
  });

  scenario('slow-query-detected-by-health-check', async (prove) => {
    const { rounds, database } = managerOfDatabase(system, { checkMs: 500, checkTimeoutMs: 5000 });
    await until('it is connected', 5000, async () => (await rounds(1))[0]?.error === null);
    await prove({
      faults: await databaseSlow(system),
      behaviour: async () => {
        const [first] = await rounds(3);
        expect(first?.error).toBe('Query read timeout');
        expect(database()?.healthy).toBe(false);
        expect((await untilHealthy(false)).error).toMatch(/timeout|took longer/);
      },
      recovery: async () => {
        await until('a check is in time', 5000, async () => (await rounds(1))[0]?.error === null);
        expect(database()).toMatchObject({ healthy: true, error: null });
        await untilHealthy(true);
      },
    });
  });

  scenario('sqlalchemy-timeout-handled', async (prove) => {
    const database = databaseThrough(system, { size: 1, overflow: 1, checkoutMs: 250 });
    const manager = new DegradationManager({
      failureThreshold: 2,
      recoveryThreshold: 1,
      checkTimeoutMs: 5000,
    });
    const check = async () => void (await database.query('SELECT 2'));
    manager.register({ name: 'database', critical: true, check });
    await prove({
      faults: await system.startFault('database', 'timeout'),
      behaviour: async () => {
        await manager.runRound();
        await manager.runRound();
        expect(manager.services()[0]).toMatchObject({
          healthy: false,
          consecutiveFailures: 2,
          error: expect.stringMatching(/^No database connection in time: \d of 2 in use/),
        });
        await untilHealthy(false);
      },
      recovery: async () => {
        await until('a check-out is in time again', 5000, async () => {
          await manager.runRound();
          return manager.services()[0]?.healthy || undefined;
        });
        await untilHealthy(true);
      },
    });
  });

  scenario('critical-database-failure-triggers-mode-change', async (prove) => {
    const viewer = await viewerOf(system.backendUrl);
    const modes: unknown[] = [];
    viewer.on('service_status', ({ data }) => modes.push(data['mode']));
    const fault = await system.startFault('database', 'unavailable');
    await prove({
      faults: fault,
      behaviour: async () => {
        await untilModeOf(system, 'MINIMAL');
        await untilFacts(system, fault, 'modeChanged', (changes) =>
          expect(changes.map(({ to }) => to)).toEqual(['DEGRADED', 'MINIMAL']),
        );
        await until('the viewers were told', 5000, () => modes.includes('MINIMAL') || undefined);
        const review = await reviewNewest();
        expect({ ...review, retryAfter: Number(review.retryAfter) > 0 }).toEqual({
          status: 503,
          retryAfter: true,
        });
      },
      recovery: async () => {
        await untilModeOf(system, 'NORMAL');
        await until(
          'a review is stored',
          10_000,
          async () => (await reviewNewest()).status === 200 || undefined,
        );
      },
    });
  });

  scenario('database-recovery-restores-normal', async (prove) => {
    const fault = await system.startFault('database', 'timeout');
    await prove({
      faults: fault,
      behaviour: () => untilModeOf(system, 'MINIMAL'),
      recovery: async () => {
        await untilModeOf(system, 'NORMAL');
        await untilFacts(system, fault, 'modeChanged', (changes) =>
          expect(changes.slice(-2).map(({ from, to }) => [from, to])).toEqual([
            ['MINIMAL', 'DEGRADED'],
            ['DEGRADED', 'NORMAL'],
          ]),
        );
        await untilClosed();
        await untilFresh();
      },
    });
  });

  scenario('status-includes-database-health', async (prove) => {
    const ready = async () => {
      const answer = await fetch(`${system.backendUrl}/api/health/ready`);
      return { status: answer.status, body: (await answer.json()) as { failing: ServiceHealth[] } };
    };
    await prove({
      faults: await databaseUnavailable(system),
      behaviour: async () => {
        await untilHealthy(false);
        const { status, body } = await ready();
        expect(status).toBe(503);
        expect(body.failing.find(({ name }) => name === 'database')).toMatchObject({
          error: expect.stringMatching(/ECONNREFUSED|terminated|closed/),
        });
      },
      recovery: async () => {
        await untilHealthy(true);
        expect(await ready()).toMatchObject({ status: 200, body: { failing: [] } });
      },
    });
  });

  scenario('consecutive-failures-tracked', async (prove) => {
    const { rounds } = managerOfDatabase(system);
    await prove({
      faults: await databaseUnavailable(system),
      behaviour: async () => {
        const seen = await rounds(3);
        expect(seen.map((each) => each?.consecutiveFailures)).toEqual([1, 2, 3]);
        expect(seen.map((each) => each?.healthy)).toEqual([true, true, false]);
      },
      recovery: async () => {
        expect((await rounds(1))[0]).toMatchObject({ consecutiveFailures: 0, healthy: true });
      },
    });
  });

  scenario('transaction-rollback-handled', async (prove) => {
    const database = databaseThrough(system, { size: 1, overflow: 0 });
    const fail = (undo: (pid: number) => Promise<unknown>) =>
      database.transaction(async (tx) => {
        await note(tx, 'undone');
        const [self] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        try {
          await tx.query('UPDATE scenario_notes SET text = text');
        } catch (error) {
          await undo(self?.pid ?? 0);
          throw error;
        }
      });
    await prove({
      faults: await system.startFault('database', 'query_error', {
        params: { sqlState: '22012' },
        match: { sql: 'UPDATE scenario_notes' },
      }),
      behaviour: async () => {
        await expect(fail(async () => {})).rejects.toMatchObject({ code: '22012' });
        await expect(database.query('SELECT 2 AS two')).resolves.toEqual([{ two: 2 }]); // not in an aborted one
        // The server is gone before ROLLBACK comes: why the work failed is told all the same.
        const terminate = (pid: number) => system.sql('SELECT pg_terminate_backend($1)', [pid]);
        await expect(fail(terminate)).rejects.toMatchObject({ code: '22012' });
        await expect(database.query('SELECT 2 AS two')).resolves.toEqual([{ two: 2 }]);
        expect(await notes()).toEqual([]);
      },
      recovery: async () => {
        await expect(fail(async () => {})).resolves.toBeUndefined();
        expect(await notes()).toEqual(['undone']);
      },
    });
  });

  scenario('concurrent-modification-error', async (prove) => {
    const database = databaseThrough(system);
    let attempts = 0;
    const write = () =>
      database.transaction(async (tx) => {
        attempts++;
        await note(tx, `attempt ${attempts}`);
      });
    await prove({
      faults: await system.startFault('database', 'query_error', { ...OWN, failFirst: 2 }),
      behaviour: async () => {
        await expect(write()).resolves.toBeUndefined();
        expect(await notes()).toEqual(['attempt 3']);
      },
      recovery: async () => {
        await write();
        expect(await notes()).toEqual(['attempt 3', 'attempt 4']);
      },
    });
  });

  scenario('pool-exhaustion-detected', async (prove) => {
    await prove({
      faults: await system.startFault('database', 'pool_exhaustion', { params: { connections: 10 } }),
      behaviour: async () => {
        // A connection that is not made in time leaves the pool one short, until the fault has that one too.
        await until('the breaker opens and says why', 15_000, async () => {
          const { breakers, pools } = await reportOf(system);
          expect(breakers.find(({ name }) => name === 'database')).toMatchObject({
            state: 'OPEN',
            lastError: expect.stringMatching(/^No database connection in time: 10 of 10 in use, 0 idle/),
          });
          expect(pools).toMatchObject([{ active: 10, idle: 0, size: 5, overflow: 5 }]);
          return true;
        });
      },
      recovery: async () => {
        await untilClosed();
        await until('the pool has room', 10_000, async () => {
          const [pool] = (await reportOf(system)).pools;
          return (pool && pool.active < 5) || undefined;
        });
      },
    });
  });

  scenario('brief-outage-recovers-automatically', async (prove) => {
    const { manager, database, rounds } = managerOfDatabase(system);
    const changes: string[] = [];
    manager.on('modeChanged', ({ to }) => changes.push(to));
    await prove({
      faults: await databaseUnavailable(system),
      behaviour: async () => {
        await rounds(2);
        expect(database()).toMatchObject({ consecutiveFailures: 2, healthy: true });
        expect(manager.mode).toBe('NORMAL');
      },
      recovery: async () => {
        await rounds(1);
        expect(database()).toMatchObject({ consecutiveFailures: 0, healthy: true, error: null });
        expect(changes).toEqual([]);
      },
    });
  });

  scenario('extended-outage-triggers-degradation', async (prove) => {
    const { manager, rounds } = managerOfDatabase(system);
    const redis = await directRedis(system); // stays up: another critical service
    manager.register({ name: 'redis', critical: true, check: async () => void (await redis.ping()) });
    const modes = async (count: number) => {
      const seen: string[] = [];
      for (let round = 0; round < count; round++) {
        await rounds(1);
        seen.push(manager.mode);
      }
      return seen;
    };
    await prove({
      faults: await system.startFault('database', 'unavailable'),
      behaviour: async () => {
        expect(await modes(4)).toEqual(['NORMAL', 'NORMAL', 'DEGRADED', 'MINIMAL']);
        expect(manager.features()).toEqual(['media', 'ingest']);
      },
      recovery: async () => {
        expect(await modes(2)).toEqual(['DEGRADED', 'NORMAL']);
      },
    });
  });

  scenario('error-messages-stored-for-debugging', async (prove) => {
    const { rounds } = managerOfDatabase(system);
    const since = Date.now();
    const text = 'injected by fault query_error';
    const fault = await system.startFault('database', 'query_error', {
      params: { sqlState: '58030' },
      match: { sql: 'SELECT 1' },
    });
    await prove({
      faults: fault,
      behaviour: async () => {
        expect((await rounds(1))[0]?.error).toContain(text);
        expect((await untilHealthy(false)).error).toContain(text);
        const told = expect.objectContaining({
          service: 'database',
          healthy: false,
          error: expect.stringContaining(text),
        });
        await untilFacts(system, fault, 'serviceChanged', (changes) => expect(changes).toContainEqual(told));
        await untilLogHas(system, since, told);
      },
      recovery: async () => {
        expect((await rounds(1))[0]?.error).toBeNull();
        await untilHealthy(true);
      },
    });
  });

  scenario('error-message-cleared-on-recovery', async (prove) => {
    const { rounds } = managerOfDatabase(system, { recoveryThreshold: 2 });
    const fault = await databaseUnavailable(system);
    await prove({
      faults: fault,
      behaviour: async () => {
        expect((await rounds(3))[2]).toMatchObject({ healthy: false, error: expect.any(String) });
        await untilHealthy(false);
      },
      recovery: async () => {
        const [still, up] = await rounds(2);
        expect(still).toMatchObject({ healthy: false, error: expect.any(String) });
        expect(up).toMatchObject({ healthy: true, error: null, origin: null });
        expect((await untilHealthy(true)).error).toBeNull();
      },
    });
  });
});
