import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import type { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import type { ViewerClientEvents, ViewerServerEvents } from '#lib/protocol/viewers.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { createBroadcaster } from './broadcaster.ts';
import { makeEvent } from './make-event.ts';

/** The broadcaster behind the real fault proxy: what a viewer gets during and after each of the seed's faults. */
describe('createBroadcaster behind a fault proxy', () => {
  let redis: TestRedis;
  let harness: ProxyHarness;
  let proxy: ServiceProxy;
  const ends: (() => Promise<void> | void)[] = [];
  const soon = { timeout: 12_000, interval: 20 };

  beforeAll(async () => {
    redis = await startTestRedis();
    harness = startProxyHarness();
    proxy = await harness.open('pubsub', redis);
  });
  afterEach(async () => {
    await harness.endAll();
    for (const end of ends.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    await harness.close();
    await redis.close();
  });

  async function start() {
    const breaker = new CircuitBreaker('broadcaster', {
      failureThreshold: 3,
      recoveryTimeoutMs: 300,
      halfOpenMaxCalls: 1,
      successThreshold: 1,
    });
    const broadcaster = createBroadcaster({
      pubsub: { host: '127.0.0.1', port: proxy.port, password: null },
      breaker,
      logger: pino({ level: 'silent' }),
      replaySettleMs: 100,
    });
    const http = createServer();
    const sockets = new Server<ViewerClientEvents, ViewerServerEvents>(http, { transports: ['websocket'] });
    broadcaster.attach(sockets);
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    await broadcaster.start();
    const viewer = io(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, {
      transports: ['websocket'],
      forceNew: true,
    });
    const received: { id: string; via: string }[] = [];
    viewer.on('events', ({ data }) => received.push({ id: data.event.id, via: data.via }));
    ends.push(async () => {
      viewer.disconnect();
      await broadcaster.close();
      await sockets.close();
      breaker.dispose();
    });
    const well = () => vi.waitFor(() => broadcaster.healthCheck(AbortSignal.timeout(900)), soon);
    await well();
    await vi.waitFor(() => expect(broadcaster.stats().connected).toBe(1), soon);
    return { broadcaster, received, well };
  }

  it.each([
    ['timeout', { params: { delayMs: 2000 } }],
    ['connection_error', {}],
    ['server_error', {}],
    ['unavailable', {}],
    ['latency', { params: { latencyMs: 1500, jitterMs: 0 } }],
  ])('%s: a viewer gets every event once, and through Redis again afterwards', async (type, overrides) => {
    const { broadcaster, received, well } = await start();
    await harness.arm('pubsub', type, overrides);
    const during = [makeEvent(), makeEvent({ riskScore: 90 })];
    for (const event of during) await broadcaster.publish(event, 'created');
    await vi.waitFor(() => expect(received).toEqual(during.map(({ id }) => ({ id, via: 'direct' }))), soon);
    expect(broadcaster.stats().direct).toBe(2);
    await expect(broadcaster.healthCheck(AbortSignal.timeout(500))).rejects.toThrow();

    await harness.endAll();
    await well();
    await vi.waitFor(() => expect(broadcaster.stats().kept).toBe(0), soon);
    const after = makeEvent();
    await vi.waitFor(async () => {
      await broadcaster.publish(makeEvent(), 'created');
      expect(broadcaster.stats().published).toBeGreaterThan(0);
    }, soon);
    await broadcaster.publish(after, 'created');
    await vi.waitFor(() => expect(received).toContainEqual({ id: after.id, via: 'redis' }), soon);
    const ids = received.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('intermittent: retries get half of the publishes through, and the viewer gets all of them', async () => {
    const { broadcaster, received } = await start();
    await harness.arm('pubsub', 'intermittent', { ratio: 0.5, seed: 7 });
    const events = Array.from({ length: 10 }, () => makeEvent());
    for (const event of events) await broadcaster.publish(event, 'created');
    await vi.waitFor(() => expect(received).toHaveLength(10), soon);
    expect(received.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    const { published, retried } = broadcaster.stats();
    expect(published).toBeGreaterThan(0);
    expect(retried).toBeGreaterThan(0);
  });
});
