import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceName } from '#lib/chaos/faults/fault.ts';
import { createRandom } from '#lib/chaos/random.ts';
import type { FaultSpecOptions } from '#tests/support/fault-spec.ts';
import { startProxyHarness } from '#tests/support/proxy-harness.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { until } from '#tests/support/until.ts';
import { disagreements, LibraryLedgers, RawLedgers } from './redis-ledger.ts';
import { Publications } from './redis-publications.ts';

const SEED = 4_711;
const ROUNDS = 4;
/** Sequences of one client in one round; eight bare clients and two of the library: 320 in all. */
const SEQUENCES = 8;

interface Case extends FaultSpecOptions {
  service: ServiceName;
  type: string;
}

const CASES: readonly Case[] = [
  { service: 'redis', type: 'timeout', params: { delayMs: 100 }, ratio: 0.1 },
  { service: 'redis', type: 'connection_error' },
  { service: 'redis', type: 'connection_error', ratio: 1 },
  { service: 'redis', type: 'server_error' },
  { service: 'redis', type: 'intermittent' },
  { service: 'redis', type: 'latency', params: { latencyMs: 4, jitterMs: 4 } },
  { service: 'redis', type: 'unavailable' },
  { service: 'redis', type: 'unavailable', ratio: 1 },
  { service: 'redis', type: 'error_reply', params: { kind: 'OOM' } },
  { service: 'redis', type: 'error_reply', params: { kind: 'LOADING' } },
  { service: 'redis', type: 'connection_reset', ratio: 0.1 },
  { service: 'network', type: 'packet_loss', ratio: 0.1 },
  { service: 'network', type: 'partition', ratio: 1 },
  { service: 'network', type: 'flapping', params: { offMs: 100, onMs: 100 }, ratio: 1 },
  { service: 'network', type: 'bandwidth', params: { rateKibPerSecond: 32 } },
  { service: 'network', type: 'slow_close', params: { delayMs: 20 } },
  { service: 'redis', type: 'server_error', match: { command: 'EXEC' }, ratio: 0.5 },
  { service: 'redis', type: 'server_error', match: { command: 'RPUSH' } },
  { service: 'redis', type: 'server_error', pulse: { activeMs: 100, dormantMs: 100 }, ratio: 1 },
  { service: 'redis', type: 'server_error', failFirst: 40, ratio: 1 },
  { service: 'redis', type: 'server_error', rampMs: 300, ratio: 1 },
  { service: 'redis', type: 'unavailable', pulse: { activeMs: 100, dormantMs: 100 } },
];

let redis: TestRedis;
let direct: Redis;

beforeAll(async () => {
  redis = await startTestRedis(['--appendonly', 'no']);
  direct = new Redis(redis.port);
});
afterAll(async () => {
  direct.disconnect();
  await redis.close();
});

function nameOf({ service, type, params, ratio = 0.3, match, pulse, failFirst, rampMs }: Case): string {
  const more = JSON.stringify({ ...params, ratio, ...match, pulse, failFirst, rampMs });
  return `${service} ${type} ${more}`;
}

describe('Redis and its clients agree', { timeout: 120_000 }, () => {
  it.concurrent.each(CASES.map((each, index) => [nameOf(each), each, SEED + index * 97] as const))(
    'on every write under %s',
    async (_name, { service, type, ...options }, seed) => {
      const harness = startProxyHarness();
      const { port } = await harness.open('redis', redis);
      const random = createRandom(seed);
      const clients = Array.from({ length: 10 }, (_, index) => {
        const protocol = index % 2 === 0 ? 2 : 3;
        const name = `${seed}-${index}`;
        const drawn = createRandom(Math.floor(random() * 2 ** 32));
        return index < 8
          ? new RawLedgers(port, drawn, name, protocol)
          : new LibraryLedgers(port, drawn, name, protocol);
      });
      let hits = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const work = clients.map(async (client) => {
          for (let n = 0; n < SEQUENCES; n++) await client.sequence();
        });
        await new Promise(setImmediate);
        const id = await harness.arm(service, type, { ratio: 0.3, ...options, seed: seed + round });
        // The last round ends the fault under traffic.
        if (round < ROUNDS - 1 || type === 'partition')
          await Promise.race([Promise.all(work), patience(700)]);
        hits += (await harness.injector.end(id, 'stopped'))?.hits ?? 0;
        await Promise.all(work);
        expect(await Promise.all(clients.map((client) => client.marker()))).toEqual(
          clients.map(() => 'the token alone'),
        );
      }
      const ledgers = clients.flatMap((client) => client.ledgers);
      const held = await Promise.all(ledgers.map(({ key }) => direct.lrange(key, 0, -1)));
      expect(ledgers.flatMap((ledger, index) => disagreements(ledger, held[index] ?? []))).toEqual([]);
      expect(ledgers.length).toBeGreaterThanOrEqual(300);
      expect(hits).toBeGreaterThan(0);
      const beliefs = new Set(ledgers.flatMap(({ entries }) => entries.map(({ belief }) => belief)));
      expect(beliefs).toContain('acknowledged');
      for (const client of clients) client.close();
      await harness.close();
    },
  );
});

const PUBSUB_CASES: readonly Case[] = [
  { service: 'pubsub', type: 'message_loss' },
  { service: 'pubsub', type: 'publish_failure' },
  { service: 'pubsub', type: 'publish_timeout', params: { delayMs: 100 }, ratio: 0.1 },
  { service: 'pubsub', type: 'server_error' },
  { service: 'pubsub', type: 'intermittent' },
  { service: 'pubsub', type: 'disconnect', params: { lifeMs: 0 }, ratio: 0.6 },
  { service: 'pubsub', type: 'subscription_failure' },
  { service: 'redis', type: 'server_error' },
];

describe('Redis and its publishers and subscribers agree', { timeout: 120_000 }, () => {
  it.concurrent.each(PUBSUB_CASES.map((each, index) => [nameOf(each), each, SEED + index * 89] as const))(
    'on every message and subscription under %s',
    async (_name, { service, type, ...options }, seed) => {
      const harness = startProxyHarness();
      const { port } = await harness.open('pubsub', redis);
      const random = createRandom(seed);
      const clients = Array.from({ length: 10 }, (_, index) => {
        const drawn = createRandom(Math.floor(random() * 2 ** 32));
        return new Publications(port, drawn, `${type}-${seed}-${index}`, index % 2 === 0 ? 2 : 3);
      });
      const ear = new Redis(redis.port);
      const heard: string[] = [];
      ear.on('pmessage', (_pattern, _channel, message: string) => heard.push(message));
      await ear.psubscribe(`${type}-${seed}-*`);
      const id = await harness.arm(service, type, { ratio: 0.3, ...options, seed });
      for (const client of clients) await client.subscribe(direct);
      await Promise.all(
        clients.map(async (client) => {
          for (let n = 0; n < 30; n++) await client.sequence();
        }),
      );
      const hits = (await harness.injector.end(id, 'stopped'))?.hits ?? 0;
      expect(await Promise.all(clients.map((client) => client.marker()))).toEqual(
        clients.map(() => 'the token alone'),
      );
      await direct.publish(`${type}-${seed}-end`, 'end');
      await until('the last message has come', 10_000, () => heard.at(-1) === 'end');
      expect(clients.flatMap((client) => client.disagreements(heard))).toEqual([]);
      expect(hits).toBeGreaterThan(0);
      for (const client of clients) client.close();
      ear.disconnect();
      await harness.close();
    },
  );
});

function patience(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
