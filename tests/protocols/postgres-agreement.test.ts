import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { makeTrustedRole } from '#tests/support/trust-role.ts';
import { until } from '#tests/support/until.ts';
import { type Beliefs, BelievingClient, runProgram } from './postgres-program.ts';

const SEED = 20_260_408;
const PROGRAMS = 200;
const CLIENTS = 8;
const RATIO = 0.3;
const USER = 'believer';
const STATE_OF = { I: 'idle', T: 'idle in transaction', E: 'idle in transaction (aborted)' } as const;

interface Trial {
  readonly service: 'database' | 'network';
  readonly type: string;
  readonly params?: Record<string, unknown>;
  /** Armed and ended in turns, ms each: it is drawn once for each connection. */
  readonly turnsMs?: number;
  /** A connection of its own for each program. */
  readonly reconnects?: true;
  /** Connections may be lost, so that the outcome of a COMMIT may be unknown. */
  readonly loses?: true;
  /** A COMMIT that was cut has not been executed. */
  readonly cutsBefore?: true;
}

const LOSING = { loses: true, cutsBefore: true } as const;
const TRIALS: readonly Trial[] = [
  { service: 'database', type: 'server_error' },
  { service: 'database', type: 'intermittent' },
  { service: 'database', type: 'query_error', params: { sqlState: '40001' } },
  { service: 'database', type: 'deadlock' },
  { service: 'database', type: 'latency', params: { latencyMs: 3, jitterMs: 3 } },
  { service: 'database', type: 'slow_query', params: { latencyMs: 5 } },
  { service: 'database', type: 'too_many_connections', reconnects: true },
  { service: 'database', type: 'connection_lost', ...LOSING },
  { service: 'database', type: 'connection_lost', params: { when: 'any', how: 'reset' }, ...LOSING },
  { service: 'database', type: 'timeout', params: { delayMs: 100 }, ...LOSING },
  { service: 'database', type: 'connection_error', turnsMs: 40, loses: true },
  { service: 'database', type: 'unavailable', turnsMs: 40, loses: true },
  { service: 'network', type: 'packet_loss', ...LOSING },
  { service: 'network', type: 'server_error' },
  // It is the client that gives up, and a busy machine may make it give up an answer that was on its way.
  { service: 'network', type: 'partition', loses: true },
  { service: 'network', type: 'flapping', params: { offMs: 100, onMs: 100 }, loses: true },
  { service: 'network', type: 'bandwidth', params: { rateKibPerSecond: 512 }, reconnects: true },
  { service: 'network', type: 'slow_close', params: { delayMs: 20 }, reconnects: true },
];

let postgres: TestPostgres;
let harness: ProxyHarness;
let proxy: ServiceProxy;
let observers: pg.Pool;
let config: pg.ClientConfig;
let keys = 0;

beforeAll(async () => {
  postgres = await startTestPostgres();
  observers = new pg.Pool({ ...postgres, max: 4 });
  // The server may be gone before they are: idle ones are told by the pool, ending ones by themselves.
  observers.on('error', () => {});
  observers.on('connect', (client) => client.on('error', () => {}));
  const observer = new pg.Client({ ...postgres });
  await observer.connect();
  await makeTrustedRole(observer, USER);
  await observer.query('CREATE TABLE believed (key int PRIMARY KEY)');
  await observer.end();
  harness = startProxyHarness();
  proxy = await harness.open('database', postgres);
  config = {
    host: '127.0.0.1',
    port: proxy.port,
    user: USER,
    database: postgres.database,
    connectionTimeoutMillis: 2000,
  };
}, 60_000);
afterAll(async () => {
  await harness?.close();
  await observers?.end();
  await postgres?.close();
});

/** Status and prepared statements, asked on both sides. */
async function compare(client: BelievingClient, withStatements: boolean): Promise<void> {
  const { rows } = await observers.query('SELECT state FROM pg_stat_activity WHERE pid = $1', [client.pid]);
  // A fault may close the connection while the server is asked; a backend that is gone must become known.
  if (rows.length === 0) await until(`${client.pid} is known to be gone`, 10_000, () => client.lost, 5);
  if (client.lost) return;
  expect(rows, `status of ${client.pid}, believed to be ${client.status()}`).toEqual([
    { state: STATE_OF[client.status()] },
  ]);
  if (!withStatements || client.status() === 'E') return;
  const prepared = await client.preparedInServer().catch(() => undefined);
  if (prepared && !client.lost) expect(prepared).toEqual(client.prepared);
}

/** Runs the programs of one trial on several clients; gives what they believe. */
async function runPrograms(trial: Trial, seed: number): Promise<Beliefs> {
  const beliefs: Beliefs = new Map();
  let next = 0;
  // Long enough for a busy machine: who gives up on a query that was not held does not know what became of it.
  const timeoutMs = trial.type === 'partition' ? 200 : 5000;
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      let client: BelievingClient | undefined;
      for (let program = next++; program < PROGRAMS; program = next++) {
        if (trial.reconnects) await client?.end();
        while (!client || client.lost) {
          client = await BelievingClient.connect({ ...config, query_timeout: timeoutMs }).catch(
            () => undefined,
          );
          if (!client) await new Promise((resolve) => setTimeout(resolve, 5)); // refused
        }
        const believing = client;
        try {
          await runProgram(seed + program, {
            client: believing,
            beliefs,
            nextKey: () => ++keys,
            compare: () => compare(believing, program % 4 === 0),
          });
        } catch (error) {
          next = PROGRAMS;
          throw new Error(`Seed ${seed}, program ${program}: ${(error as Error).message}`, { cause: error });
        }
      }
      if (!client?.lost) await client?.end();
    }),
  );
  return beliefs;
}

/** Arms and ends the fault in turns until `over`. */
async function inTurns(trial: Trial, turnMs: number, over: () => boolean): Promise<void> {
  for (let turn = 0; !over(); turn++) {
    const id = await harness.arm(trial.service, trial.type, { ratio: RATIO, seed: turn });
    await new Promise((resolve) => setTimeout(resolve, turnMs));
    await harness.end(id);
    await new Promise((resolve) => setTimeout(resolve, turnMs));
  }
}

describe('client and server agree under', () => {
  it.each(TRIALS.map((trial, index) => [`${trial.service} ${trial.type}`, trial, index] as const))(
    '%s',
    async (_name, trial, index) => {
      const seed = SEED + index * PROGRAMS;
      await observers.query('TRUNCATE believed');
      const { turnsMs, params = {} } = trial;
      let beliefs: Beliefs;
      let hits = 0;
      if (turnsMs === undefined) {
        await harness.arm(trial.service, trial.type, { ratio: RATIO, params, seed: index });
        beliefs = await runPrograms(trial, seed);
        hits = harness.injector.activity()[0]?.hits ?? 0;
        await harness.endAll();
      } else {
        let over = false;
        const turns = inTurns(trial, turnsMs, () => over);
        harness.injector.on('ended', ({ activity }) => {
          hits += activity.hits;
        });
        beliefs = await runPrograms(trial, seed).finally(() => {
          over = true;
        });
        await turns;
        harness.injector.removeAllListeners('ended');
      }

      // A fast machine is through in a few turns of a port that goes off and on.
      expect(hits).toBeGreaterThan(trial.type === 'flapping' ? 2 : 10);
      const { rows } = await observers.query<{ key: number }>('SELECT key FROM believed');
      const present = new Set(rows.map(({ key }) => key));
      const believed = (belief: string) =>
        [...beliefs].filter(([, each]) => each === belief).map(([key]) => key);
      expect(believed('committed').filter((key) => !present.has(key))).toEqual([]);
      expect(believed('refused').filter((key) => present.has(key))).toEqual([]);
      expect(believed('committed').length).toBeGreaterThan(20);
      if (!trial.loses) expect(believed('unknown')).toEqual([]);
      if (trial.cutsBefore) expect(believed('unknown').filter((key) => present.has(key))).toEqual([]);
      expect([...present].filter((key) => !beliefs.has(key))).toEqual([]);

      const pool = new pg.Pool({ ...config, connectionTimeoutMillis: 20_000, max: 3 });
      pool.on('error', () => {});
      pool.on('connect', (client) => client.on('error', () => {}));
      const answers = await Promise.all(
        [1, 2, 3, 4, 5, 6].map((n) => pool.query('SELECT $1::int AS n', [n])),
      );
      expect(answers.map(({ rows: [row] }) => row.n)).toEqual([1, 2, 3, 4, 5, 6]);
      await pool.end();
      await until('no connection is left', 10_000, () => proxy.connections === 0, 10);
    },
    60_000,
  );
});
