import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import { type ByteTap, sortedRecords, startByteTap } from '#tests/support/byte-tap.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { makeTrustedRole } from '#tests/support/trust-role.ts';
import { PostgresLane } from './postgres-lane.ts';
import { postgresSequence } from './postgres-sequences.ts';
import { masked, readAnswers } from './postgres-wire.ts';

const SEED = 20_260_407;
const SEQUENCES = 10_000;
const LANES = 6;
/** Longer than the test. */
const TTL_MS = 600_000;
const USER = 'sequences';

let postgres: TestPostgres;
let harness: ProxyHarness;
let tap: ByteTap;
let proxy: ServiceProxy;
let observer: pg.Client;

beforeAll(async () => {
  postgres = await startTestPostgres();
  observer = new pg.Client({ ...postgres, host: '127.0.0.1' });
  await observer.connect();
  await makeTrustedRole(observer, USER);
  for (let lane = 0; lane < LANES; lane++) {
    await observer.query(`CREATE TABLE lane_${lane} (id int PRIMARY KEY, name text, data bytea)`);
  }
  tap = await startByteTap(postgres);
  harness = startProxyHarness();
  proxy = await harness.open('database', tap);
}, 60_000);
afterAll(async () => {
  await harness?.close();
  await tap?.close();
  await observer?.end();
  await postgres?.close();
});

/** Names the first answer that differs. */
function difference(direct: Buffer, proxied: Buffer): string | undefined {
  if (masked(direct).equals(masked(proxied))) return undefined;
  const [a, b] = [readAnswers(masked(direct)), readAnswers(masked(proxied))];
  const at = a.findIndex(({ type, body }, index) => b[index]?.type !== type || !b[index]?.body.equals(body));
  const told = (answers: typeof a) =>
    answers
      .slice(Math.max(0, at - 1), at + 3)
      .map(({ type, body }) => `${type} ${JSON.stringify(body.toString('latin1').slice(0, 120))}`)
      .join(', ');
  return `answer ${at} of ${a.length}: direct ${told(a)}; proxied (${b.length}) ${told(b)}`;
}

/** Runs sequences `from` to before `to`, each first past the proxy and then through it, on all lanes at once. */
async function runAll(from: number, to: number): Promise<number> {
  let next = from;
  const clients: PostgresLane[] = [];
  await Promise.all(
    Array.from({ length: LANES }, async (_, index) => {
      const lane = { table: `lane_${index}`, user: USER, database: postgres.database };
      const direct = new PostgresLane(postgres.port, lane, observer);
      const proxied = new PostgresLane(proxy.port, lane, observer);
      clients.push(direct, proxied);
      for (let n = next++; n < to; n = next++) {
        const sequence = postgresSequence(SEED, n, lane);
        try {
          const answers = await direct.run(sequence, n, false);
          const different = difference(answers, await proxied.run(sequence, n, true));
          if (different) throw new Error(different);
        } catch (error) {
          next = to;
          throw new Error(`Seed ${SEED}, sequence ${n}: ${(error as Error).message}`, { cause: error });
        }
      }
      records.push(...proxied.connections.map(({ record }) => record));
    }),
  ).finally(() => {
    for (const client of clients) client.end();
  });
  return records.length;
}
const records: PostgresLane['connections'][number]['record'][] = [];

describe('PostgreSQL through an idle aware proxy', () => {
  it('answers as without it, in every one of 10 000 random sequences', async () => {
    await runAll(0, SEQUENCES / 2);
    // The same while every query is judged, by faults that hit none.
    await harness.arm('database', 'server_error', { ratio: 0, ttlMs: TTL_MS });
    await harness.arm('database', 'query_error', { match: { sql: 'in no sequence' }, ttlMs: TTL_MS });
    await harness.arm('database', 'latency', { params: { latencyMs: 0 }, ttlMs: TTL_MS });
    await runAll(SEQUENCES / 2, SEQUENCES);
    const [judged] = harness.injector.activity();
    expect(judged?.hits).toBe(0);
    expect(judged?.seen).toBeGreaterThan(1000); // only the first of what is sent at once can be hit
  }, 240_000);

  it('passes the same bytes on both of its sides, in both directions', () => {
    expect(records.length).toBeGreaterThan(200);
    expect(sortedRecords(tap.records)).toEqual(sortedRecords(records));
  });
});
