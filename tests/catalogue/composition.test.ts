import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '#server/logging.ts';
import { type FtpServer, startFtpServer } from '#server/pipeline/intake/ftp-server.ts';
import type { IncomingUploads } from '#server/pipeline/intake/incoming-uploads.ts';
import { BareConnection, takesAtLeast } from '#tests/support/bare-connection.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';

const http = createServer((_incoming, response) => response.end('fine'));
let web: { host: string; port: number };
let redis: TestRedis;
let ftp: FtpServer;
let harness: ProxyHarness;
const clients: { disconnect(): void }[] = [];
const sockets: BareConnection[] = [];

beforeAll(async () => {
  http.listen(0, '127.0.0.1');
  await new Promise((resolve) => http.once('listening', resolve));
  web = { host: '127.0.0.1', port: (http.address() as AddressInfo).port };
  const uploads = { openSession: () => ({}), closeSession() {} } as unknown as IncomingUploads; // none is made here
  [redis, ftp] = await Promise.all([
    startTestRedis(),
    startFtpServer({
      host: '127.0.0.1',
      port: 0,
      passivePorts: { min: 20_000, max: 29_999 },
      credentials: { camera: 'secret' },
      uploads,
      logger: createLogger('test', 'silent'),
    }),
  ]);
});
beforeEach(() => {
  harness = startProxyHarness();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  for (const socket of sockets.splice(0)) socket.close();
  await harness.close();
});
afterAll(async () => {
  http.closeAllConnections();
  http.close();
  await Promise.all([redis.close(), ftp.close()]);
});

const GET = 'GET /work HTTP/1.1\r\nhost: x\r\n\r\n';

async function dial(
  service: 'yolo26' | 'nemotron' | 'redis' | 'ftp',
  upstream: { host: string; port: number },
) {
  const socket = new BareConnection((await harness.open(service, upstream)).port);
  sockets.push(socket);
  return socket;
}

async function connectRedis(): Promise<Redis> {
  const { port } = await harness.open('redis', redis);
  const client = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on('error', () => {});
  clients.push(client);
  await client.ping();
  return client;
}

const activityOf = (id: string) => harness.injector.activity().find((each) => each.id === id);

async function timed<T>(work: Promise<T>): Promise<{ value: T; tookMs: number }> {
  const startedMs = performance.now();
  const value = await work;
  return { value, tookMs: performance.now() - startedMs };
}

const messageOf = (work: Promise<unknown>) =>
  work.then(
    (value) => String(value),
    (error: Error) => error.message,
  );

describe('Types compose on one service', () => {
  it('latency and intermittent: every call is late, the same ones fail as without the latency', async () => {
    const socket = await dial('yolo26', web);
    const statuses = async () => {
      const seen: string[] = [];
      for (let n = 0; n < 12; n++) seen.push((await socket.ask(GET)).slice(9, 12));
      return seen;
    };
    const alone = await harness.arm('yolo26', 'intermittent', { seed: 5 });
    const expected = await statuses();
    expect(new Set(expected)).toEqual(new Set(['200', '500']));
    await harness.end(alone);

    const late = await harness.arm('yolo26', 'latency', { params: { latencyMs: 50 } });
    const failing = await harness.arm('yolo26', 'intermittent', { seed: 5 });
    const { value, tookMs } = await timed(statuses());
    expect(value).toEqual(expected);
    expect(tookMs).toBeGreaterThan(12 * 49);
    expect(activityOf(late)?.hits).toBe(12);
    expect(activityOf(failing)?.hits).toBe(expected.filter((status) => status === '500').length);
  });

  it('latency and error_reply: refusals are as late as answers and keep their place in the pipeline', async () => {
    const client = await connectRedis();
    await client.set('kept', 'before');
    await harness.arm('redis', 'latency', { params: { latencyMs: 200 } });
    const id = await harness.arm('redis', 'error_reply', { params: { kind: 'READONLY' } });
    const order: string[] = [];
    const late = [client.set('kept', 1), client.get('kept'), client.incr('kept'), client.echo('last')].map(
      async (work) => {
        const { value, tookMs } = await timed(messageOf(work));
        order.push(value);
        return tookMs;
      },
    );
    expect(Math.min(...(await Promise.all(late)))).toBeGreaterThan(195);
    const refused = `READONLY You can't write against a read only replica. [brownout:${id}]`;
    expect(order).toEqual([refused, 'before', refused, 'last']);
  });

  it("the network's latency and a service's: the delays add up, each counts its own hits", async () => {
    const client = await connectRedis();
    const own = await harness.arm('redis', 'latency', { params: { latencyMs: 120 } });
    const network = await harness.arm('network', 'latency', { params: { latencyMs: 130 } });
    expect(await takesAtLeast(245, () => client.ping(), 3)).toBe(true);
    expect([activityOf(own)?.hits, activityOf(network)?.hits]).toEqual([3, 3]);
    await harness.end(own);
    expect(await takesAtLeast(125, () => client.ping(), 3)).toBe(true);
    expect(await takesAtLeast(245, () => client.ping())).toBe(false);
  });

  it("the network's latency and one service's time-out: that one is held, the others are late", async () => {
    const [held, other] = [await dial('yolo26', web), await dial('nemotron', web)];
    await Promise.all([held.ask(GET), other.ask(GET)]);
    const late = await harness.arm('network', 'latency', { params: { latencyMs: 100 } });
    const id = await harness.arm('yolo26', 'timeout', { params: { delayMs: 400 } });
    const [silence, answer] = await Promise.all([timed(held.ask(GET)), timed(other.ask(GET))]);
    expect([silence.value, held.end]).toEqual(['', 'closed']);
    expect(silence.tookMs).toBeGreaterThan(395);
    expect(answer.value).toContain('200 OK');
    expect(answer.tookMs).toBeGreaterThan(95);
    expect(activityOf(id)?.hits).toBe(1);
    expect(activityOf(late)?.hitsByKind['GET /work']).toBeGreaterThanOrEqual(1);
    await harness.end(id);
    expect((await timed(other.ask(GET))).tookMs).toBeGreaterThan(95); // it outlives its neighbour
  });
});

// PostgreSQL's is in database.test.ts, beside the server that it needs.
describe('Strength changes live, on the connection that is open', () => {
  it('HTTP keep-alive: the status and the share', async () => {
    const socket = await dial('yolo26', web);
    const status = async () => (await socket.ask(GET)).slice(9, 12);
    expect(await status()).toBe('200');
    const id = await harness.arm('yolo26', 'server_error');
    expect(await status()).toBe('500');
    await harness.change(id, { params: { status: 502 } });
    expect(await status()).toBe('502');
    await harness.change(id, { ratio: 0 });
    expect(await status()).toBe('200');
    await harness.change(id, { ratio: 1, params: { status: 503 } });
    expect(await status()).toBe('503');
    expect(activityOf(id)).toMatchObject({ hits: 3, seen: 4 });
    expect(socket.end).toBeUndefined();
  });

  it('Redis: the error and the share', async () => {
    const client = await connectRedis();
    const connection = await client.client('ID');
    const word = async () => (await messageOf(client.set('key', 1))).split(' ')[0];
    const id = await harness.arm('redis', 'error_reply');
    expect(await word()).toBe('OOM');
    await harness.change(id, { params: { kind: 'READONLY' } });
    expect(await word()).toBe('READONLY');
    await harness.change(id, { ratio: 0 });
    expect(await word()).toBe('OK');
    await harness.change(id, { ratio: 1, params: { kind: 'BUSY' } });
    expect(await word()).toBe('BUSY');
    expect(await client.client('ID')).toBe(connection);
  });

  it('FTP control: the delay and the share', async () => {
    const socket = await dial('ftp', { host: '127.0.0.1', port: ftp.port });
    expect(await socket.receives('220 ')).toBe(true);
    await socket.ask('USER camera\r\n');
    expect(await socket.ask('PASS secret\r\n')).toMatch(/^230 /);
    const late = (ms: number) =>
      takesAtLeast(ms, async () => expect(await socket.ask('NOOP\r\n')).toMatch(/^200 /), 3);
    expect(await late(145)).toBe(false);
    const id = await harness.arm('ftp', 'latency', { params: { latencyMs: 150 } });
    expect(await late(145)).toBe(true);
    await harness.change(id, { params: { latencyMs: 300 } });
    expect(await late(295)).toBe(true);
    await harness.change(id, { ratio: 0 });
    expect(await late(145)).toBe(false);
    await harness.change(id, { ratio: 1 });
    expect(await late(295)).toBe(true);
    expect(socket.end).toBeUndefined();
  });
});
