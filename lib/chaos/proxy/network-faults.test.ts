import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import type { ServiceProxy } from './service-proxy.ts';

let redis: TestRedis;
let harness: ProxyHarness;
let redisProxy: ServiceProxy;
let yolo26: ServiceProxy;
let nemotron: ServiceProxy;
const http = createHttpServer((incoming, response) => {
  let bytes = 0;
  incoming.on('data', (part: Buffer) => {
    bytes += part.length;
  });
  incoming.on('end', () => {
    if (incoming.url === '/close') response.setHeader('connection', 'close');
    response.end(incoming.url === '/large' ? Buffer.alloc(100 * 1024, 'x') : `got ${bytes}`);
  });
});
const clients: Redis[] = [];

const listen = async (server: Server | typeof http) => {
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
};

beforeAll(async () => {
  redis = await startTestRedis();
  const upstream = await listen(http);
  harness = startProxyHarness();
  redisProxy = await harness.open('redis', redis);
  yolo26 = await harness.open('yolo26', upstream);
  nemotron = await harness.open('nemotron', upstream);
});
afterEach(async () => {
  await harness.endAll();
  for (const client of clients.splice(0)) client.disconnect();
});
afterAll(async () => {
  await harness.close();
  http.closeAllConnections();
  http.close();
  await redis.close();
});

function connectRedis(commandTimeout = 5000): Redis {
  const client = new Redis({
    host: '127.0.0.1',
    port: redisProxy.port,
    commandTimeout,
    maxRetriesPerRequest: 1,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => 20,
  });
  client.on('error', () => {});
  clients.push(client);
  return client;
}

const call = (proxy: ServiceProxy, path = '/', init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${proxy.port}${path}`, { signal: AbortSignal.timeout(5000), ...init }).then(
    (response) => response.text(),
    (error: Error) => `failed ${error.name}`,
  );

async function timed<T>(work: Promise<T>): Promise<{ value: T; tookMs: number }> {
  const startedMs = performance.now();
  const value = await work;
  return { value, tookMs: performance.now() - startedMs };
}

const activityOf = (id: string) => harness.injector.activity().find((each) => each.id === id);

describe('bandwidth', () => {
  // How near to what was asked: network-timing.test.ts.
  it('limits each direction of the chosen services, and ends at its TTL', async () => {
    const id = await harness.arm('network', 'bandwidth', {
      params: { rateKibPerSecond: 100, services: ['yolo26'] },
      ttlMs: 6000,
    });
    const down = await timed(call(yolo26, '/large', { headers: { connection: 'close' } }));
    expect(down.value).toHaveLength(100 * 1024);
    expect(down.tookMs).toBeGreaterThan(900);
    const up = await timed(call(yolo26, '/', { method: 'POST', body: Buffer.alloc(100 * 1024) }));
    expect(up.value).toBe(`got ${100 * 1024}`);
    expect(up.tookMs).toBeGreaterThan(900);
    const isQuick = (proxy: ServiceProxy) =>
      vi.waitFor(async () => expect((await timed(call(proxy, '/large'))).tookMs).toBeLessThan(500), 8000);
    await isQuick(nemotron);
    expect(activityOf(id)?.hitsByKind).toEqual({ connection: expect.any(Number) });
    await vi.waitFor(() => expect(harness.injector.all()).toEqual([]), 12_000);
    await isQuick(yolo26);
  });

  it('slows the sender down instead of buffering, follows a change, and passes on what it took', async () => {
    let received = 0;
    const sink = createServer((socket) => {
      socket.on('data', (part) => {
        received += part.length;
      });
      socket.on('error', () => {});
    });
    const proxy = await harness.open('redis', await listen(sink));
    const id = await harness.arm('network', 'bandwidth', { params: { rateKibPerSecond: 16 } });
    const size = 32 * 1024 * 1024;
    const head = `*2\r\n$4\r\nECHO\r\n$${size}\r\n`;
    const client = connectTcp(proxy.port, '127.0.0.1');
    client.on('error', () => {});
    client.write(head);
    client.write(Buffer.alloc(size, 'x'));
    await vi.waitFor(() => expect(received).toBeGreaterThan(8 * 1024), 8000);
    // What the proxy has taken is bounded by sockets' buffers and the throttle, far below what was sent.
    expect(proxy.traffic.totals.bytes).toBeLessThan(2 * 1024 * 1024);
    expect(received).toBeLessThan(256 * 1024);
    await harness.end(id);
    await vi.waitFor(() => expect(received).toBe(head.length + size), 15_000);
    client.destroy();
    proxy.close();
    sink.close();
  });
});

describe('flapping', () => {
  it('turns the port off and on, beginning with off, and leaves the others alone', async () => {
    const id = await harness.arm('network', 'flapping', {
      params: { offMs: 800, onMs: 300, services: ['yolo26'] }, // off for long enough to be seen first
    });
    const states: boolean[] = [];
    while (states.length < 4) {
      const on = await new Promise<boolean>((resolve) => {
        const socket = connectTcp(yolo26.port, '127.0.0.1');
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
        socket.once('connect', () => socket.destroy());
      });
      if (states.at(-1) !== on) states.push(on);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(states).toEqual([false, true, false, true]);
    expect(await call(nemotron)).toBe('got 0');
    await harness.end(id);
    expect(await call(yolo26)).toBe('got 0');
  });

  it('resets open connections each time it turns off', async () => {
    const client = connectRedis();
    await client.ping();
    let connected = 0;
    client.on('ready', () => connected++);
    const params = { offMs: 200, onMs: 300, services: ['redis'] };
    const id = await harness.arm('network', 'flapping', { params });
    await vi.waitFor(() => expect(connected).toBeGreaterThanOrEqual(2), 10_000);
    expect(activityOf(id)?.hits).toBeGreaterThanOrEqual(2);
    await harness.end(id);
    await vi.waitFor(async () => expect(await client.ping()).toBe('PONG'), 8000);
  });
});

describe('partition', () => {
  it('lets nothing through in either direction for the chosen services, open connections included', async () => {
    const client = connectRedis(1500);
    await client.set('before', 1);
    const id = await harness.arm('network', 'partition', { params: { services: ['redis', 'yolo26'] } });
    await expect(client.set('during', 1)).rejects.toThrow(/timed out/);
    const late = await call(yolo26, '/', { signal: AbortSignal.timeout(300) });
    expect(late).toBe('failed TimeoutError');
    expect(await call(nemotron)).toBe('got 0');
    expect(activityOf(id)?.hitsByKind['bytes from client']).toBeGreaterThan(0);
    await harness.end(id);
    await vi.waitFor(async () => expect(await client.get('before')).toBe('1'), 8000);
    expect(await client.exists('during')).toBe(0);
    expect(await call(yolo26)).toBe('got 0');
  });

  it('keeps back an answer that is on its way when it begins, also over HTTP', async () => {
    let answer = () => {};
    const slow = createHttpServer((_incoming, response) => {
      answer = () => response.end('late');
    });
    const proxy = await harness.open('yolo26', await listen(slow));
    const outcome = call(proxy, '/', { signal: AbortSignal.timeout(2000) });
    await vi.waitFor(() => expect(proxy.traffic.totals.requests).toBe(1), 5000);
    await vi.waitFor(() => expect(answer.toString()).toContain('late'), 5000);
    await harness.arm('network', 'partition');
    answer();
    expect(await outcome).toBe('failed TimeoutError');
    proxy.close();
    slow.closeAllConnections();
    slow.close();
  });
});

describe('slow_close', () => {
  it('holds the close back by its delay, and no longer than the fault lasts', async () => {
    const closing = () =>
      new Promise<number>((resolve) => {
        let answeredMs = 0;
        const socket: Socket = connectTcp(yolo26.port, '127.0.0.1');
        socket.write('GET /close HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
        socket.on('data', () => {
          answeredMs = performance.now();
        });
        socket.on('end', () => resolve(performance.now() - answeredMs));
      });
    const isQuick = () => vi.waitFor(async () => expect(await closing()).toBeLessThan(200), 5000);
    await isQuick();
    const id = await harness.arm('network', 'slow_close', { params: { delayMs: 1000 } });
    const heldMs = await closing();
    expect(heldMs).toBeGreaterThan(950);
    expect(activityOf(id)?.hitsByKind['close']).toBeGreaterThan(0);
    await harness.end(id);
    const long = await harness.arm('network', 'slow_close', { params: { delayMs: 10_000 } });
    const cutShort = timed(closing());
    await vi.waitFor(() => expect(activityOf(long)?.hitsByKind['close']).toBeGreaterThan(0), 5000);
    await harness.end(long);
    expect((await cutShort).tookMs).toBeLessThan(8000);
    await isQuick();
  });
});
