import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import { createRandom, type Random } from '#lib/chaos/random.ts';
import { type ByteTap, sortedRecords, startByteTap } from '#tests/support/byte-tap.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { RawClient } from '#tests/support/raw-client.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { encodeCommand, parseReplies, type RespValue, type Word } from '#tests/support/resp.ts';
import { type Masked, type RedisSequence, RedisSequences, SCRIPTS } from './redis-sequence.ts';

const SEED = 20_261_122;
/** Sequences through a proxy without a fault, and as many through one whose faults never hit. */
const SEQUENCES_EACH = 5000;
/** Runs side by side, half of them on each listener, each in a database of its own. */
const LANES = 16;

let redis: TestRedis;
let tap: ByteTap;
let harness: ProxyHarness;
let data: ServiceProxy;
let pubsub: ServiceProxy;

beforeAll(async () => {
  redis = await startTestRedis(['--enable-debug-command', 'local', '--hz', '500', '--appendonly', 'no']);
  tap = await startByteTap(redis);
  harness = startProxyHarness();
  data = await harness.open('redis', tap);
  pubsub = await harness.open('pubsub', tap);
});
afterAll(async () => {
  await harness.close();
  await tap.close();
  await redis.close();
});

/** Runs a sequence and gives its replies, masked. The connection is then as it was and the database empty. */
async function run(
  client: RawClient,
  other: RawClient,
  sequence: RedisSequence,
  options: { database: number; token: string; random: Random },
): Promise<string> {
  const { database, token, random } = options;
  let waiting: Buffer[] = [];
  const flush = async () => {
    const bytes = Buffer.concat(waiting);
    waiting = [];
    await client.sendInPieces(bytes, random);
  };
  for (const step of sequence.steps) {
    if (step.kind === 'send') waiting.push(step.bytes);
    else {
      await flush();
      if (step.kind === 'await') await client.heard(step.text);
      else other.send(encodeCommand(step.words));
    }
  }
  const end: Word[][] = [['RESET'], ['SELECT', database], ['FLUSHDB'], ['ECHO', token]];
  waiting.push(...end.map(encodeCommand));
  await flush();
  await client.heard(`${token}\r\n`);
  return masked(client.take(), sequence.masks);
}

function masked(stream: string, masks: RedisSequence['masks']): string {
  if (masks.size === 0) return stream;
  let reply = 0;
  let replied = '';
  for (const value of parseReplies(stream)) {
    const mask = value.type === '>' ? undefined : masks.get(reply++);
    replied += mask ? withoutMasked(value, mask) : value.raw;
  }
  return replied;
}

function withoutMasked(value: RespValue, mask: Masked): string {
  return mask === 'HELLO' ? value.raw.replace(/(\$2\r\nid\r\n):\d+/, '$1:ID') : `<${typesOf(value)}>`;
}

function typesOf({ type, items }: RespValue): string {
  return type + items.map(typesOf).join('');
}

interface Lane {
  /** Its database, too. */
  readonly index: number;
  readonly direct: RawClient;
  readonly proxied: RawClient;
  readonly other: RawClient;
}

async function openLane(index: number): Promise<Lane> {
  const to = async (port: number) => {
    const client = new RawClient(port);
    client.send(encodeCommand(['SELECT', index]));
    await client.heard('+OK\r\n');
    client.take();
    return client;
  };
  const { port } = index % 2 === 0 ? data : pubsub;
  return { index, direct: await to(redis.port), proxied: await to(port), other: await to(redis.port) };
}

/** Runs `count` sequences, each directly and then through a proxy; gives the number of commands. */
async function compare(lane: Lane, count: number, seed: number): Promise<number> {
  const random = createRandom(seed);
  const shas = SCRIPTS.map((script) => createHash('sha1').update(script).digest('hex'));
  const sequences = new RedisSequences(createRandom(seed + 1), `lane${lane.index}`, shas);
  let commands = 0;
  for (let n = 0; n < count; n++) {
    const token = `end-${lane.index}-${n}-${'#'.repeat(20)}`;
    const sequence = sequences.next();
    const options = { database: lane.index, token, random };
    const expected = await run(lane.direct, lane.other, sequence, options);
    const replies = await run(lane.proxied, lane.other, sequence, options);
    if (replies !== expected) {
      const sent = sequence.steps.map((step) =>
        step.kind === 'send' ? step.bytes.toString('latin1') : step,
      );
      expect({ seed, n, sent, replies }).toEqual({ seed, n, sent, replies: expected });
    }
    commands += sequence.commands;
  }
  return commands;
}

async function compareAll(seed: number): Promise<void> {
  const setUp = new RawClient(redis.port);
  for (const script of SCRIPTS) setUp.send(encodeCommand(['SCRIPT', 'LOAD', script]));
  setUp.send(encodeCommand(['ECHO', 'loaded']));
  await setUp.heard('loaded');
  setUp.close();
  const seen = tap.records.length;
  const lanes = await Promise.all(Array.from({ length: LANES }, (_, index) => openLane(index)));
  const compared = await Promise.all(
    lanes.map((lane) => compare(lane, Math.ceil(SEQUENCES_EACH / LANES), seed + lane.index * 1000)),
  );
  for (const { direct, proxied, other } of lanes) for (const each of [direct, proxied, other]) each.close();
  expect(sortedRecords(tap.records.slice(seen))).toEqual(
    sortedRecords(lanes.map(({ proxied }) => proxied.record)),
  );
  const commands = compared.reduce((sum, each) => sum + each, 0);
  console.info(`seed ${seed}: ${SEQUENCES_EACH} sequences, ${commands} commands`);
  expect(commands).toBeGreaterThan(SEQUENCES_EACH * 4);
}

describe('Redis through a proxy that understands it', { timeout: 120_000 }, () => {
  it('passes every byte of random sequences and changes no reply, with no fault armed', async () => {
    await compareAll(SEED);
  });

  it('passes every byte of random sequences and changes no reply, with faults armed that never hit', async () => {
    const ttlMs = 600_000;
    await harness.arm('redis', 'intermittent', { ratio: 0, ttlMs });
    await harness.arm('redis', 'timeout', { ratio: 0, ttlMs });
    await harness.arm('redis', 'connection_reset', { match: { command: 'NO SUCH COMMAND' }, ttlMs });
    await harness.arm('redis', 'latency', { match: { command: 'NO SUCH COMMAND' }, ttlMs });
    await harness.arm('pubsub', 'message_loss', { ratio: 0, ttlMs });
    await harness.arm('network', 'server_error', { ratio: 0, ttlMs });
    await compareAll(SEED + 1);
    const activity = harness.injector.activity();
    expect(activity.every(({ hits }) => hits === 0)).toBe(true);
    expect(activity.find(({ id }) => id === 'f1')?.seen).toBeGreaterThan(SEQUENCES_EACH * 4);
  });
});
