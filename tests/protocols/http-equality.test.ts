import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import { createRandom, type Random } from '#lib/chaos/random.ts';
import { type ByteTap, type ConnectionRecord, sortedRecords, startByteTap } from '#tests/support/byte-tap.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { RawClient } from '#tests/support/raw-client.ts';
import { until } from '#tests/support/until.ts';
import { type HttpSequence, HttpSequences, MASKED } from './http-sequence.ts';
import { startToldServer, type ToldServer } from './told-server.ts';

const SEED = 20_261_123;
/** Sequences through a proxy without a fault, and as many through one whose faults never hit. */
const SEQUENCES_EACH = 5000;
/** Runs side by side. */
const LANES = 16;

let server: ToldServer;
let tap: ByteTap;
let harness: ProxyHarness;
let proxy: ServiceProxy;

beforeAll(async () => {
  server = await startToldServer();
  tap = await startByteTap(server);
  harness = startProxyHarness();
  proxy = await harness.open('nemotron', tap);
});
afterAll(async () => {
  await harness.close();
  await tap.close();
  await server.close();
});

/** One side's connection, opened again after a sequence that has ended it. */
class Side {
  readonly records: ConnectionRecord[] = [];
  readonly #port: number;
  #client: RawClient | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends a sequence; gives its answers, masked, and how the connection ended. */
  async run(sequence: HttpSequence, random: Random): Promise<string> {
    if (!this.#client) {
      this.#client = new RawClient(this.#port);
      this.records.push(this.#client.record);
    }
    const client = this.#client;
    for (const { bytes, awaits, whole } of sequence.parts) {
      if (whole) client.send(bytes);
      else await client.sendInPieces(bytes, random);
      if (awaits) await client.heard(awaits);
    }
    if (sequence.halfCloses) client.end();
    if (sequence.end === 'server_closes') {
      const error = await client.closed;
      this.#client = undefined;
      return `${masked(client.take())}\nclosed${error ? ` by ${error.message}` : ''}`;
    }
    await client.heard(sequence.last);
    if (sequence.end === 'client_closes') this.close();
    return masked(client.take());
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}

function masked(text: string): string {
  return text.replace(new RegExp(`\r\n(${MASKED.join('|')}): [^\r]*`, 'gi'), '\r\n$1: MASKED');
}

/** Runs `count` sequences, each directly and then through the proxy. */
async function compare(
  count: number,
  seed: number,
): Promise<{ requests: number; records: ConnectionRecord[] }> {
  const random = createRandom(seed);
  const sequences = new HttpSequences(createRandom(seed + 1));
  const direct = new Side(server.port);
  const proxied = new Side(proxy.port);
  let requests = 0;
  for (let n = 0; n < count; n++) {
    const sequence = sequences.next();
    const fail = (error: unknown) => String(error);
    const expected = await direct.run(sequence, random).catch(fail);
    const answers = await proxied.run(sequence, random).catch(fail);
    if (answers !== expected) {
      const sent = sequence.parts.map(({ bytes }) => bytes.toString('latin1'));
      expect({ seed, n, sent, answers }).toEqual({ seed, n, sent, answers: expected });
    }
    requests += sequence.requests;
  }
  direct.close();
  proxied.close();
  return { requests, records: proxied.records };
}

async function compareAll(seed: number): Promise<void> {
  const seen = tap.records.length;
  const lanes = await Promise.all(
    Array.from({ length: LANES }, (_, lane) =>
      compare(Math.ceil(SEQUENCES_EACH / LANES), seed + lane * 1000),
    ),
  );
  await until('every connection is over', 10_000, () => proxy.connections === 0);
  expect(sortedRecords(tap.records.slice(seen))).toEqual(
    sortedRecords(lanes.flatMap(({ records }) => records)),
  );
  const requests = lanes.reduce((sum, lane) => sum + lane.requests, 0);
  console.info(`seed ${seed}: ${SEQUENCES_EACH} sequences, ${requests} requests`);
  expect(requests).toBeGreaterThan(SEQUENCES_EACH * 2);
}

describe('HTTP/1.1 through a proxy that understands it', { timeout: 120_000 }, () => {
  it('passes every byte of random sequences and changes no answer, with no fault armed', async () => {
    await compareAll(SEED);
  });

  it('passes every byte of random sequences and changes no answer, with faults armed that never hit', async () => {
    const ttlMs = 600_000;
    await harness.arm('nemotron', 'intermittent', { ratio: 0, ttlMs });
    await harness.arm('nemotron', 'timeout', { ratio: 0, ttlMs });
    await harness.arm('nemotron', 'malformed_response', { match: { route: '/no/such/route' }, ttlMs });
    await harness.arm('nemotron', 'latency', { match: { route: '/no/such/route' }, ttlMs });
    await harness.arm('network', 'packet_loss', { ratio: 0, ttlMs });
    await compareAll(SEED + 1);
    const activity = harness.injector.activity();
    expect(activity.every(({ hits }) => hits === 0)).toBe(true);
    expect(activity.find(({ id }) => id === 'f1')?.seen).toBeGreaterThan(SEQUENCES_EACH * 2);
  });
});
