import { connect as connectTcp } from 'node:net';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { createRandom } from '../../random.ts';
import type { ServiceProxy } from '../service-proxy.ts';

let redis: TestRedis;
let harness: ProxyHarness;
let proxy: ServiceProxy;
let pubsub: ServiceProxy;
const clients: Redis[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
  harness = startProxyHarness();
  proxy = await harness.open('redis', redis);
  pubsub = await harness.open('pubsub', redis);
});
afterEach(async () => {
  await harness.endAll();
  for (const client of clients.splice(0)) client.disconnect();
  await vi.waitFor(() => expect(proxy.connections + pubsub.connections).toBe(0), 8000);
});
afterAll(async () => {
  await harness.close();
  await redis.close();
});

interface Options {
  protocol?: 2 | 3;
  commandTimeout?: number;
  retryStrategy?: () => number | null;
}

function connect(port: number, more: Options = {}): Redis {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    commandTimeout: 3000,
    connectTimeout: 2000,
    maxRetriesPerRequest: 1,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => 50,
    ...more,
  });
  client.on('error', () => {});
  clients.push(client);
  return client;
}

async function ready(port: number, more: Options = {}): Promise<Redis> {
  const client = connect(port, more);
  await client.ping();
  return client;
}

/** Replies belong to their commands: each value comes back under its own key. */
async function expectInOrder(client: Redis): Promise<void> {
  const keys = Array.from({ length: 20 }, (_, index) => `order:${index}`);
  await Promise.all(keys.map((key) => client.set(key, key)));
  expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys);
}

describe.each([2, 3] as const)('RedisSession over RESP%i', (protocol) => {
  it('passes commands, large values, transactions and blocking pops', async () => {
    const client = await ready(proxy.port, { protocol });
    await expectInOrder(client);
    const large = 'x'.repeat(3_000_000);
    await client.set('large', large);
    expect(await client.get('large')).toBe(large);
    expect(await client.multi().set('a', 1).incr('a').exec()).toEqual([
      [null, 'OK'],
      [null, 2],
    ]);
    const blocked = await ready(proxy.port, { protocol });
    const popped = blocked.bzpopmin('zset', 5);
    await client.zadd('zset', 1, 'member');
    expect(await popped).toEqual(['zset', 'member', expect.anything()]);
    expect(await client.hgetall('nothing')).toEqual({});
  });

  it('answers a hit command in its own place in the pipeline', async () => {
    const client = await ready(proxy.port, { protocol });
    await harness.arm('redis', 'server_error', { match: { command: 'GET' } });
    const results = await client.pipeline().set('k', 'v').get('k').strlen('k').get('k').echo('end').exec();
    expect(results?.map(([error, value]) => error?.message ?? value)).toEqual([
      'OK',
      expect.stringContaining('[brownout:'),
      1,
      expect.stringContaining('[brownout:'),
      'end',
    ]);
    await harness.endAll();
    await expectInOrder(client);
  });

  it('makes EXEC answer EXECABORT when a command inside MULTI is hit', async () => {
    const client = await ready(proxy.port, { protocol });
    await client.del('m1', 'm2');
    await harness.arm('redis', 'server_error', { match: { command: 'INCR' } });
    const failure = await client
      .multi()
      .set('m1', 1)
      .incr('m2')
      .set('m1', 2)
      .exec()
      .then(
        () => undefined,
        (error: Error & { previousErrors?: Error[] }) => error,
      );
    expect(failure?.message).toMatch(/^EXECABORT/);
    expect(failure?.previousErrors?.[0]?.message).toContain('[brownout:');
    expect(await client.exists('m1', 'm2')).toBe(0);
    await harness.endAll();
    await expectInOrder(client);
  });

  it('discards the transaction when EXEC itself is hit', async () => {
    const client = await ready(proxy.port, { protocol });
    await client.del('m3');
    await harness.arm('redis', 'server_error', { match: { command: 'EXEC' } });
    await expect(client.multi().set('m3', 1).exec()).rejects.toThrow(/brownout/);
    await harness.endAll();
    expect(await client.get('m3')).toBeNull();
    expect(await client.multi().set('m3', 1).exec()).toEqual([[null, 'OK']]);
  });

  it('keeps replies and pushes apart while publishing fails', async () => {
    const subscriber = await ready(pubsub.port, { protocol });
    const publisher = await ready(pubsub.port, { protocol });
    const heard: string[] = [];
    subscriber.on('message', (_channel, message: string) => heard.push(message));
    await subscriber.subscribe('one', 'two');
    expect(await publisher.publish('one', 'first')).toBe(1);
    const id = await harness.arm('pubsub', 'server_error');
    await expect(publisher.publish('one', 'refused')).rejects.toThrow(/brownout/);
    await expectInOrder(publisher); // only publishing is hit
    await harness.end(id);
    expect(await publisher.publish('two', 'second')).toBe(1);
    await vi.waitFor(() => expect(heard).toEqual(['first', 'second']), 5000);
    await subscriber.unsubscribe();
    await expectInOrder(subscriber);
  });
});

it('keeps every answer in its place while a subscriber is hit, whatever the pieces', async () => {
  const publisher = await ready(proxy.port);
  const socket = connectTcp(pubsub.port, '127.0.0.1');
  socket.setNoDelay(true);
  let text = '';
  socket.on('data', (part) => {
    text += part.toString('latin1');
  });
  const random = createRandom(99);
  socket.write('HELLO 3\r\nSUBSCRIBE noise\r\nECHO begin\r\n');
  await vi.waitFor(() => expect(text).toContain('begin'), 5000);
  await harness.arm('redis', 'intermittent', { ratio: 0.3, seed: 5, match: { command: 'ECHO' } });
  const wanted = 300;
  let commands = '';
  for (let n = 0; n < wanted; n++) {
    const argument = `<${n}>${'y'.repeat(n % 50)}`;
    commands += `*2\r\n$4\r\nECHO\r\n$${argument.length}\r\n${argument}\r\n`;
  }
  const noise = Array.from({ length: 100 }, (_, n) => publisher.publish('noise', 'z'.repeat(n * 300)));
  while (commands.length > 0) {
    const length = 1 + Math.floor(random() * 97);
    socket.write(commands.slice(0, length));
    commands = commands.slice(length);
    await new Promise(setImmediate);
  }
  await Promise.all(noise);
  const answers = () => [
    ...text
      .slice(text.indexOf('begin') + 7)
      .matchAll(/\$\d+\r\n<(\d+)>y*\r\n|-ERR[^\r]*\r\n|>3\r\n[^>-]*?\r\nz*\r\n/g),
  ];
  await vi.waitFor(() => expect(answers()).toHaveLength(wanted + 100), 10_000);
  expect(
    answers()
      .map((match) => match[0])
      .join(''),
  ).toBe(text.slice(text.indexOf('begin') + 7));
  const echoes = answers().filter((match) => !match[0].startsWith('>'));
  expect(echoes.filter((match) => match[0].startsWith('-')).length).toBeGreaterThan(50);
  for (const [n, match] of echoes.entries()) {
    if (!match[0].startsWith('-')) expect(Number(match[1])).toBe(n);
  }
  socket.destroy();
});

describe('RedisSession under faults of the connection', () => {
  it('holds bytes, then closes; the end resets what was held and nothing is shifted', async () => {
    const client = await ready(proxy.port, { commandTimeout: 1500 });
    const idle = await ready(proxy.port);
    const reconnected = vi.fn();
    client.on('reconnecting', reconnected);
    await client.set('x', 'X');
    const id = await harness.arm('redis', 'timeout');
    await expect(client.get('x')).rejects.toThrow(/timed out/);
    expect(reconnected).not.toHaveBeenCalled();
    await harness.end(id);
    await vi.waitFor(() => expect(reconnected).toHaveBeenCalled(), 8000);
    await expectInOrder(client);
    await expectInOrder(idle);
    expect(await (await ready(proxy.port)).get('x')).toBe('X');
  });

  it('closes a held connection after its delay', async () => {
    const client = await ready(proxy.port);
    const closed = vi.fn();
    client.on('close', closed);
    await harness.arm('redis', 'timeout', { params: { delayMs: 150 } });
    const startedAt = performance.now();
    client.get('x').catch(() => {});
    await vi.waitFor(() => expect(closed).toHaveBeenCalled(), 8000);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(140);
  });

  it.each(['connection_error', 'unavailable'])('refuses under %s and is clean right after', async (type) => {
    const client = await ready(proxy.port);
    const blocked = await ready(proxy.port, { commandTimeout: 20_000 });
    const waiting = blocked.bzpopmin('never', 10).catch((error: Error) => error);
    const closed = vi.fn();
    client.on('close', closed);
    const id = await harness.arm('redis', type);
    await vi.waitFor(() => expect(closed).toHaveBeenCalled(), 8000);
    expect(await waiting).toBeInstanceOf(Error);
    const failed = connect(proxy.port, { retryStrategy: () => null });
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => failed.once('error', resolve));
    expect(error.code).toBe('ECONNREFUSED');
    const other = connect(pubsub.port, { retryStrategy: () => null }); // redis faults hit both listeners
    const refused = await new Promise<NodeJS.ErrnoException>((resolve) => other.once('error', resolve));
    expect(refused.code).toBe('ECONNREFUSED');
    await harness.end(id);
    expect(await (await ready(proxy.port, { retryStrategy: () => null })).ping()).toBe('PONG');
  });

  it('leaves the redis listener alone when only pub/sub is unavailable', async () => {
    await harness.arm('pubsub', 'unavailable');
    expect(proxy.listening).toBe(true);
    expect(pubsub.listening).toBe(false);
    await expectInOrder(await ready(proxy.port));
  });

  it('adds latency to commands without cutting throughput', async () => {
    const client = await ready(proxy.port);
    const id = await harness.arm('redis', 'latency', { params: { latencyMs: 200 } });
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 500 }, (_, index) => client.set(`l${index}`, index)));
    const tookMs = performance.now() - startedAt;
    expect(tookMs).toBeGreaterThanOrEqual(195);
    expect(tookMs).toBeLessThan(10_000); // one after the other, they would take 100 s
    const late = client.get('l1');
    await harness.end(id);
    expect(await late).toBe('1');
    await expectInOrder(client);
  });

  it('fails the same share of the same calls under the same seed', async () => {
    const client = await ready(proxy.port);
    const run = async () => {
      const id = await harness.arm('redis', 'intermittent', {
        ratio: 0.3,
        seed: 42,
        match: { command: 'GET' },
      });
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, () =>
          client.get('x').then(
            () => 'ok',
            () => 'hit',
          ),
        ),
      );
      const { hits } = harness.injector.activity()[0] ?? { hits: 0 };
      expect(outcomes.filter((outcome) => outcome === 'hit')).toHaveLength(hits);
      await harness.end(id);
      return outcomes;
    };
    const first = await run();
    const share = first.filter((outcome) => outcome === 'hit').length / first.length;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.4);
    expect(await run()).toEqual(first);
  });

  it('resets connections under packet loss of the network, only where it was asked for', async () => {
    const client = await ready(proxy.port, { commandTimeout: 1500 });
    const untouched = await ready(pubsub.port);
    await harness.arm('network', 'packet_loss', { ratio: 1, params: { services: ['redis'] } });
    await expect(client.get('x')).rejects.toThrow();
    await expectInOrder(untouched);
  });

  it('ends by its lease when nobody tells it to', async () => {
    const client = await ready(proxy.port);
    await harness.arm('redis', 'server_error', { ttlMs: 1500 });
    await expect(client.get('x')).rejects.toThrow(/brownout/);
    await vi.waitFor(() => expect(harness.injector.all()).toEqual([]), 8000);
    await expectInOrder(client);
  });
});

describe('BullMQ through the proxy', () => {
  it('loses no job while 30 % of the commands fail and connections are cut', async () => {
    const connection = { host: '127.0.0.1', port: proxy.port, retryStrategy: () => 50 };
    const queue = new Queue('jobs', { connection: { ...connection, maxRetriesPerRequest: 1 } });
    const done = new Set<string>();
    const worker = new Worker('jobs', async (job) => void done.add(job.data.n), {
      connection: { ...connection, maxRetriesPerRequest: null },
      drainDelay: 1,
      concurrency: 4,
      lockDuration: 1500,
      stalledInterval: 500,
      maxStalledCount: 50,
    });
    queue.on('error', () => {});
    worker.on('error', () => {});
    const add = async (n: string) => {
      for (;;) {
        const added = await queue
          .add('job', { n }, { jobId: `id-${n}`, attempts: 50 })
          .catch(() => undefined);
        if (added) return;
      }
    };
    try {
      await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);
      const id = await harness.arm('redis', 'intermittent', { ratio: 0.3 });
      const wanted = Array.from({ length: 30 }, (_, index) => String(index));
      await Promise.all(wanted.map(add));
      await harness.end(id);
      const cut = await harness.arm('redis', 'unavailable');
      await harness.end(cut);
      await vi.waitFor(() => expect([...done].sort()).toEqual([...wanted].sort()), 20_000);
    } finally {
      await worker.close(true);
      await queue.close().catch(() => {});
    }
  });
});
