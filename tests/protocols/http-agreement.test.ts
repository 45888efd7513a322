import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAULT_HEADER, type ProxiedService, type ServiceName } from '#lib/chaos/faults/fault.ts';
import { createRandom } from '#lib/chaos/random.ts';
import type { FaultSpecOptions } from '#tests/support/fault-spec.ts';
import { startProxyHarness } from '#tests/support/proxy-harness.ts';
import { disagreements, Requests } from './http-requests.ts';
import { startToldServer, type ToldServer } from './told-server.ts';

const SEED = 1_871;
const ROUNDS = 4;
const CLIENTS = 10;
/** Sequences of one client in one round: 320 in all. */
const SEQUENCES = 8;

interface Case extends FaultSpecOptions {
  service: ServiceName;
  type: string;
  /** The service in front of which the proxy stands. @default nemotron */
  at?: ProxiedService;
  /** Every connection is kept. */
  keeps?: true;
  /** It spoils the server's own answers. */
  spoils?: true;
}

const CASES: readonly Case[] = [
  { service: 'nemotron', type: 'timeout', params: { delayMs: 100 }, ratio: 0.1 },
  { service: 'nemotron', type: 'connection_error' },
  { service: 'nemotron', type: 'connection_error', ratio: 1 },
  { service: 'nemotron', type: 'server_error', params: { status: 503 }, keeps: true },
  { service: 'nemotron', type: 'intermittent', keeps: true },
  { service: 'nemotron', type: 'latency', params: { latencyMs: 4, jitterMs: 4 } },
  { service: 'nemotron', type: 'unavailable' },
  { service: 'nemotron', type: 'unavailable', ratio: 1 },
  {
    service: 'nemotron',
    type: 'malformed_response',
    params: { mode: 'not_json' },
    keeps: true,
    spoils: true,
  },
  {
    service: 'nemotron',
    type: 'malformed_response',
    params: { mode: 'truncated' },
    keeps: true,
    spoils: true,
  },
  { service: 'nemotron', type: 'rate_limited', keeps: true },
  { service: 'yolo26', type: 'partial_batch', at: 'yolo26', keeps: true, spoils: true },
  { service: 'network', type: 'packet_loss', ratio: 0.1 },
  { service: 'network', type: 'partition', ratio: 1 },
  { service: 'network', type: 'flapping', params: { offMs: 100, onMs: 100 }, ratio: 1 },
  { service: 'network', type: 'bandwidth', params: { rateKibPerSecond: 256 } },
  { service: 'network', type: 'slow_close', params: { delayMs: 20 } },
  { service: 'nemotron', type: 'server_error', match: { route: '/detect' }, ratio: 0.5, keeps: true },
  {
    service: 'nemotron',
    type: 'server_error',
    pulse: { activeMs: 100, dormantMs: 100 },
    ratio: 1,
    keeps: true,
  },
  { service: 'nemotron', type: 'server_error', failFirst: 40, ratio: 1, keeps: true },
  { service: 'nemotron', type: 'server_error', rampMs: 300, ratio: 1, keeps: true },
];

let server: ToldServer;

beforeAll(async () => {
  server = await startToldServer();
});
afterAll(async () => {
  await server.close();
});

function nameOf({ service, type, params, ratio = 0.3, match, pulse, failFirst, rampMs }: Case): string {
  const more = JSON.stringify({ ...params, ratio, ...match, pulse, failFirst, rampMs });
  return `${service} ${type} ${more}`;
}

describe('An HTTP server and its clients agree', { timeout: 120_000 }, () => {
  it.concurrent.each(CASES.map((each, index) => [nameOf(each), each, SEED + index * 97] as const))(
    'on every request under %s',
    async (_name, { service, type, at, keeps, spoils, ...options }, seed) => {
      const harness = startProxyHarness();
      const { port } = await harness.open(at ?? 'nemotron', server);
      const random = createRandom(seed);
      const clients = Array.from({ length: CLIENTS }, (_, index) => {
        const drawn = createRandom(Math.floor(random() * 2 ** 32));
        return new Requests(port, drawn, `${seed}-${index}`, keeps ? 20_000 : 400);
      });
      let hits = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const work = clients.map(async (client) => {
          for (let n = 0; n < SEQUENCES; n++) {
            await client.sequence();
            if (type === 'slow_close') client.close();
          }
        });
        await new Promise(setImmediate);
        const id = await harness.arm(service, type, { ratio: 0.3, ...options, seed: seed + round });
        // The last round ends the fault under traffic.
        if (round < ROUNDS - 1) await Promise.race([Promise.all(work), patience(700)]);
        hits += (await harness.injector.end(id, 'stopped'))?.hits ?? 0;
        await Promise.all(work);
        expect(await Promise.all(clients.map((client) => client.marker()))).toEqual(
          clients.map(() => 'its own answer'),
        );
      }
      const sent = clients.flatMap((client) => client.sent);
      expect(disagreements(sent, server.served, spoils === true)).toEqual([]);
      expect(hits).toBeGreaterThan(0);
      const marked = sent.filter(({ answer }) => answer?.headers.has(FAULT_HEADER)).length;
      if (keeps) {
        expect(marked).toBe(hits);
        expect(clients.map(({ opened }) => opened)).toEqual(clients.map(() => 1));
      }
      expect(sent.some(({ answer }) => answer && !answer.headers.has(FAULT_HEADER))).toBe(true);
      for (const client of clients) client.close();
      await harness.close();
    },
  );
});

function patience(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
