import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import type { Problem } from '#lib/protocol/errors.ts';
import type {
  ViewerAuth,
  ViewerClientEvents,
  ViewerEventChange,
  ViewerMessage,
  ViewerNotice,
  ViewerResume,
  ViewerServerEvents,
} from '#lib/protocol/viewers.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { createBroadcaster } from './broadcaster.ts';
import type { BroadcasterOptions, ViewerBroadcaster } from './contracts.ts';
import { makeEvent } from './make-event.ts';
import { startTestRelay } from './test-relay.ts';

const lines: Record<string, unknown>[] = [];
const logger = pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line)) });
const logged = (text: string) => lines.filter((line) => String(line['msg']).includes(text));

interface Viewer {
  socket: Socket<ViewerServerEvents, ViewerClientEvents>;
  events: ViewerMessage<ViewerEventChange>[];
  alerts: ViewerMessage<Record<string, unknown>>[];
  notices: ViewerNotice[];
  resumed: ViewerResume[];
}

describe('createBroadcaster', () => {
  let server: TestRedis;
  let redis: Redis;
  let folder: string;
  const ends: (() => Promise<void> | void)[] = [];
  const soon = { timeout: 10_000, interval: 10 };

  /** One "process": a broadcaster and its Socket.IO server. */
  async function makeProcess(overrides: Partial<BroadcasterOptions> = {}) {
    const breaker = new CircuitBreaker('broadcaster', {
      failureThreshold: 3,
      recoveryTimeoutMs: 300,
      halfOpenMaxCalls: 1,
      successThreshold: 1,
    });
    const broadcaster = createBroadcaster({
      pubsub: { host: server.host, port: server.port, password: null },
      breaker,
      logger,
      replaySettleMs: 100,
      ...overrides,
    });
    const http = createServer();
    const connections: TcpSocket[] = [];
    http.on('connection', (socket: TcpSocket) => connections.push(socket));
    const sockets = new Server<ViewerClientEvents, ViewerServerEvents>(http, { transports: ['websocket'] });
    broadcaster.attach(sockets);
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    await broadcaster.start();
    const close = async () => {
      await broadcaster.close();
      await sockets.close();
      breaker.dispose();
    };
    ends.push(close);
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    return { broadcaster, breaker, connections, close, url };
  }

  const subscribed = (broadcaster: ViewerBroadcaster) =>
    vi.waitFor(async () => {
      expect(broadcaster.stats().unsubscribed).toEqual([]);
      await broadcaster.healthCheck(AbortSignal.timeout(1000));
    }, soon);

  function openViewer(url: string, auth: ViewerAuth | Record<string, unknown> = {}): Viewer {
    const socket: Viewer['socket'] = io(url, { transports: ['websocket'], forceNew: true, auth });
    const viewer: Viewer = { socket, events: [], alerts: [], notices: [], resumed: [] };
    socket.on('events', (message) => viewer.events.push(message));
    socket.on('alerts', (message) => viewer.alerts.push(message));
    socket.on('notice', (notice) => viewer.notices.push(notice));
    socket.on('resumed', (resume) => viewer.resumed.push(resume));
    ends.push(() => void socket.disconnect());
    return viewer;
  }

  async function makeViewer(url: string, auth: ViewerAuth = {}): Promise<Viewer> {
    const viewer = openViewer(url, auth);
    const channels = auth.channels?.length ?? 3;
    await vi.waitFor(() => expect(viewer.resumed).toHaveLength(channels), soon);
    return viewer;
  }

  const ids = (viewer: Viewer) => viewer.events.map((message) => message.data.event.id);

  beforeAll(async () => {
    server = await startTestRedis();
    folder = await mkdtemp(join(tmpdir(), 'brownout-viewers-'));
    redis = new Redis(server.port, server.host, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    redis.on('error', () => {});
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    lines.length = 0;
  });
  afterAll(async () => {
    redis.disconnect();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('delivers an event through Redis to the viewers of every process, once', async () => {
    const [one, two] = [await makeProcess(), await makeProcess()];
    await Promise.all([subscribed(one.broadcaster), subscribed(two.broadcaster)]);
    const viewers = await Promise.all([makeViewer(one.url), makeViewer(one.url), makeViewer(two.url)]);
    const event = makeEvent();

    await one.broadcaster.publish(event, 'created');

    for (const viewer of viewers) {
      await vi.waitFor(() => expect(viewer.events).toHaveLength(1), soon);
      expect(viewer.events[0]?.data).toEqual({ change: 'created', via: 'redis', event });
    }
    expect(one.broadcaster.stats()).toMatchObject({ connected: 2, published: 1, direct: 0, unheard: 0 });
    expect(two.broadcaster.recentEvents()).toMatchObject([{ id: event.id, detections: 1 }]);
  });

  it('goes directly to its own viewers while Redis is down, keeps critical events and replays them', async () => {
    // Two seconds and a half: the other process has to be subscribed again too.
    const [one, two] = [await makeProcess({ replaySettleMs: 2500 }), await makeProcess()];
    await Promise.all([subscribed(one.broadcaster), subscribed(two.broadcaster)]);
    const [near, far] = [await makeViewer(one.url), await makeViewer(two.url)];
    await server.kill();
    const [plain, critical] = [makeEvent({ riskScore: 79 }), makeEvent({ riskScore: 80 })];

    await one.broadcaster.publish(plain, 'created');
    await one.broadcaster.publish(critical, 'created');

    await vi.waitFor(() => expect(ids(near)).toEqual([plain.id, critical.id]), soon);
    expect(near.events.map((message) => message.data.via)).toEqual(['direct', 'direct']);
    await vi.waitFor(() => expect(one.broadcaster.stats()).toMatchObject({ failed: 2, kept: 1 }), soon);
    expect(one.broadcaster.stats()).toMatchObject({ direct: 2, published: 0 });
    expect(one.breaker.status().transitions).toBeGreaterThan(0);
    await expect(one.broadcaster.healthCheck(AbortSignal.timeout(500))).rejects.toThrow();

    await server.restart();
    await vi.waitFor(() => expect(ids(far)).toEqual([critical.id]), soon);
    await vi.waitFor(() => expect(one.broadcaster.stats()).toMatchObject({ kept: 0, replayed: 1 }), soon);
    await subscribed(one.broadcaster);
    const next = makeEvent();
    await one.broadcaster.publish(next, 'created');
    await vi.waitFor(() => expect(ids(near)).toEqual([plain.id, critical.id, next.id]), soon);
    expect(one.broadcaster.stats().reconnects).toBeGreaterThanOrEqual(1);
    expect(logged('subscriber disconnected, reconnecting')).not.toHaveLength(0);
  });

  it('opens the breaker after repeated failures and then asks Redis no more', async () => {
    let attempts = 0;
    const one = await makeProcess({
      pubsub: { host: server.host, port: 1, password: null },
      track: (call) => {
        attempts++;
        return call();
      },
    });
    await one.broadcaster.publish(makeEvent(), 'created');
    expect(one.breaker.state).toBe('OPEN');
    expect(attempts).toBe(3);
    expect(one.broadcaster.stats()).toMatchObject({ retried: 2, failed: 1, direct: 1 });
    expect(logged('publish failed, trying again').map((line) => line['attempt'])).toEqual([1, 2]);

    await one.broadcaster.publish(makeEvent(), 'created');
    expect(attempts).toBe(3);
    expect(one.broadcaster.stats().direct).toBe(2);
  });

  it('notices a publish that reaches no subscriber, and delivers it directly', async () => {
    const one = await makeProcess();
    await subscribed(one.broadcaster);
    const viewer = await makeViewer(one.url);
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');

    await one.broadcaster.publish(makeEvent({ riskScore: 90 }), 'created');

    await vi.waitFor(() => expect(viewer.events).toHaveLength(1), soon);
    expect(one.broadcaster.stats()).toMatchObject({ unheard: 1, direct: 1, published: 0 });
    expect(logged('publish reached no subscriber')).toHaveLength(1);
    await vi.waitFor(() => expect(one.broadcaster.stats()).toMatchObject({ kept: 0, replayed: 1 }), soon);
    await vi.waitFor(() => expect(one.broadcaster.stats().duplicates).toBe(1), soon);
    expect(viewer.events).toHaveLength(1);
  });

  it('does not hold up viewers when Redis holds the publish', async () => {
    const relay = await startTestRelay(server.port);
    const one = await makeProcess({ pubsub: { host: '127.0.0.1', port: relay.port, password: null } });
    await subscribed(one.broadcaster);
    const viewer = await makeViewer(one.url);
    relay.hold();

    const startedAt = performance.now();
    await one.broadcaster.publish(makeEvent(), 'created');
    expect(performance.now() - startedAt).toBeLessThan(3000);
    await vi.waitFor(() => expect(viewer.events[0]?.data.via).toBe('direct'), soon);
    expect(one.broadcaster.stats().failed).toBe(0); // its attempts still go on

    relay.release();
    await subscribed(one.broadcaster);
    expect(viewer.events).toHaveLength(1);
    await relay.close();
  });

  it('delivers directly what another process heard and its own subscriber did not', async () => {
    const one = await makeProcess();
    await subscribed(one.broadcaster);
    const viewer = await makeViewer(one.url);
    const other = new Redis(server.port, server.host);
    ends.push(() => other.disconnect());
    await other.subscribe('brownout:events');
    const clients = String(await redis.call('CLIENT', 'LIST')).split('\n');
    const own = clients.find((line) => line.includes('name=brownout-subscriber'));
    await redis.call('CLIENT', 'KILL', 'ID', /id=(\d+)/.exec(own ?? '')?.[1] ?? '');
    const event = makeEvent();

    await one.broadcaster.publish(event, 'created');

    await vi.waitFor(() => expect(viewer.events.map(({ data }) => data.via)).toEqual(['direct']), soon);
    expect(ids(viewer)).toEqual([event.id]);
    expect(one.broadcaster.stats()).toMatchObject({ published: 1, direct: 1, unheard: 0 });
  });

  it('names the channels it may not subscribe to and subscribes as soon as it may', async () => {
    await redis.call('ACL', 'SETUSER', 'default', 'resetchannels', '&brownout:events', '&brownout:probe:*');
    const one = await makeProcess();
    try {
      await vi.waitFor(() => expect(one.broadcaster.stats().subscribed).toEqual(['events']), soon);
      await vi.waitFor(
        () => expect(one.broadcaster.stats().unsubscribed).toEqual(['service_status', 'alerts']),
        soon,
      );
      await vi.waitFor(() => expect(logged('channels not subscribed')).not.toHaveLength(0), soon);
      const [line] = logged('channels not subscribed');
      expect(Object.keys(line?.['failed'] ?? {})).toEqual(['brownout:service_status', 'brownout:alerts']);
      await expect(one.broadcaster.healthCheck(AbortSignal.timeout(5000))).rejects.toThrow(
        'Not subscribed to brownout:service_status, brownout:alerts',
      );
    } finally {
      await redis.call('ACL', 'SETUSER', 'default', 'allchannels');
    }
    await subscribed(one.broadcaster);
    expect(one.broadcaster.stats().reconnects).toBe(0);
  });

  it('replays critical events that an earlier process kept', async () => {
    const keptFile = join(folder, 'fallback', 'kept.jsonl');
    const [older, newer] = [
      makeEvent({ id: 'kept', riskScore: 85, updatedAt: 1 }),
      makeEvent({ id: 'kept', riskScore: 95, updatedAt: 2 }),
    ];
    const one = await makeProcess({ pubsub: { host: server.host, port: 1, password: null }, keptFile });
    await one.broadcaster.publish(older, 'created');
    const underWay = one.broadcaster.publish(newer, 'updated');
    await one.close(); // in the middle of its attempts
    await underWay;

    const two = await makeProcess({ keptFile });
    const viewer = await makeViewer(two.url);
    await vi.waitFor(() => expect(viewer.events.map(({ data }) => data.event.riskScore)).toEqual([95]), soon);
    await vi.waitFor(() => expect(two.broadcaster.stats()).toMatchObject({ kept: 0, replayed: 1 }), soon);
  });

  it('shows no older version of an event after a newer one', async () => {
    const one = await makeProcess();
    await subscribed(one.broadcaster);
    const viewer = await makeViewer(one.url);
    const created = makeEvent({ id: 'versions', riskSource: 'default', updatedAt: 10 });
    const updated = { ...created, riskSource: 'llm' as const, updatedAt: 20 };

    await one.broadcaster.publish(created, 'created');
    await one.broadcaster.publish(updated, 'updated');
    await one.broadcaster.publish(created, 'created');
    await one.broadcaster.publish(makeEvent({ id: 'last' }), 'created');

    await vi.waitFor(() => expect(ids(viewer)).toContain('last'), soon);
    expect(viewer.events.map(({ data }) => data.event.riskSource)).toEqual(['default', 'llm', 'llm']);
    expect(one.broadcaster.recentEvents().find(({ id }) => id === 'versions')?.riskSource).toBe('llm');
  });

  it('resumes a viewer from its last message, and says when some are gone', async () => {
    const one = await makeProcess();
    await subscribed(one.broadcaster);
    const viewer = await makeViewer(one.url);
    await one.broadcaster.publish(makeEvent({ id: 'seen' }), 'created');
    await vi.waitFor(() => expect(viewer.events).toHaveLength(1), soon);
    const lastSeq = viewer.events[0]?.seq ?? 0;
    viewer.socket.disconnect();
    for (const id of ['missed-1', 'missed-2']) await one.broadcaster.publish(makeEvent({ id }), 'created');
    await vi.waitFor(() => expect(one.broadcaster.stats().published).toBe(3), soon);

    const back = await makeViewer(one.url, { lastSeq });
    await vi.waitFor(() => expect(ids(back)).toEqual(['missed-1', 'missed-2']), soon);
    expect(back.resumed.find(({ channel }) => channel === 'events')).toMatchObject({ missed: false });

    const stranger = await makeViewer(one.url, { channels: ['events'], lastSeq: 5 });
    expect(stranger.resumed).toMatchObject([{ channel: 'events', missed: true }]);
    await vi.waitFor(() => expect(ids(stranger)).toEqual(['seen', 'missed-1', 'missed-2']), soon);

    const fresh = await makeViewer(one.url);
    expect(fresh.events).toEqual([]);
  });

  it('lets viewers choose channels, and refuses rubbish', async () => {
    const one = await makeProcess();
    const viewer = await makeViewer(one.url, { channels: ['alerts'] });
    one.broadcaster.notify('alerts', { code: 'DISK_LOW' });
    one.broadcaster.timedOut('database', 5000);
    one.broadcaster.timedOut('database', 5000);
    await vi.waitFor(
      () => expect(viewer.alerts.map(({ data }) => data)).toEqual([{ code: 'DISK_LOW' }]),
      soon,
    );

    const subscribe = (request: unknown) =>
      viewer.socket.timeout(2000).emitWithAck('subscribe', request as { channel: 'events' });
    expect(await subscribe({ channel: 'events' })).toMatchObject({ ok: true, data: { channel: 'events' } });
    expect(await subscribe({ channel: 'nowhere' })).toMatchObject({
      ok: false,
      error: { code: 'INVALID_INPUT', field: 'channel', value: 'nowhere' },
    });
    expect(await subscribe(null)).toMatchObject({ ok: false, error: { code: 'INVALID_INPUT' } });
    await viewer.socket.timeout(2000).emitWithAck('unsubscribe', { channel: 'alerts' });
    one.broadcaster.notify('alerts', { code: 'DISK_FULL' });
    one.broadcaster.timedOut('redis', 5000);

    await vi.waitFor(() => expect(viewer.notices).toHaveLength(2), soon);
    expect(viewer.notices).toEqual([
      { type: 'timeout', service: 'database', retryAfterMs: 5000 },
      { type: 'timeout', service: 'redis', retryAfterMs: 5000 },
    ]);
    expect(viewer.alerts).toHaveLength(1);

    const bad = openViewer(one.url, { lastSeq: 'yesterday' });
    const error = await new Promise<Error & { data?: Problem }>((resolve) =>
      bad.socket.once('connect_error', (problem) => resolve(problem)),
    );
    expect(error.data).toMatchObject({ code: 'INVALID_INPUT', field: 'lastSeq', value: 'yesterday' });
  });

  it('counts what it cannot read and goes on', async () => {
    const one = await makeProcess();
    await subscribed(one.broadcaster);
    const viewer = await makeViewer(one.url);
    await redis.publish('brownout:events', '{"change":"created"}');
    await redis.publish('brownout:alerts', 'rubbish');
    await redis.publish('brownout:alerts', '{"code":"FROM_ELSEWHERE"}');

    await vi.waitFor(() => expect(viewer.alerts[0]?.data).toEqual({ code: 'FROM_ELSEWHERE' }), soon);
    expect(one.broadcaster.stats().malformed).toBe(2);
    expect(viewer.events).toEqual([]);
  });

  it('cuts a viewer that cannot keep up, and no other', async () => {
    const one = await makeProcess();
    const [slow, quick] = [await makeViewer(one.url), await makeViewer(one.url)];
    const closed = new Promise<unknown>((resolve) =>
      slow.socket.once('disconnect', (_reason, details) => resolve(details)),
    );
    const { ws } = slow.socket.io.engine.transport as unknown as { ws: { pause(): void; resume(): void } };
    ws.pause();
    const text = 'x'.repeat(256 * 1024);
    let sent = 0;
    while (one.broadcaster.stats().slowConsumers === 0 && sent < 200) {
      one.broadcaster.notify('alerts', { text });
      sent++;
      await vi.waitFor(() => expect(quick.alerts).toHaveLength(sent), soon);
    }
    ws.resume();

    expect(await closed).toMatchObject({ context: { code: 1001, reason: 'slow_consumer' } });
    expect(one.broadcaster.stats().slowConsumers).toBe(1);
    await vi.waitFor(() => expect(one.broadcaster.stats().connected).toBe(1), soon);
    one.broadcaster.notify('alerts', { text: 'after' });
    await vi.waitFor(() => expect(quick.alerts.at(-1)?.data).toEqual({ text: 'after' }), soon);
    expect(quick.socket.connected).toBe(true);
    expect(quick.alerts).toHaveLength(sent + 1);
  });

  it('cuts a viewer that takes nothing of the little that waits for it', async () => {
    const one = await makeProcess({ profile: 'test' });
    const [slow, quick] = [await makeViewer(one.url), await makeViewer(one.url)];
    const closed = new Promise<unknown>((resolve) =>
      slow.socket.once('disconnect', (_reason, details) => resolve(details)),
    );
    const { ws } = slow.socket.io.engine.transport as unknown as { ws: { pause(): void; resume(): void } };
    ws.pause();
    let sent = 0;
    const send = async (text: string) => {
      one.broadcaster.notify('alerts', { text });
      sent++;
      await vi.waitFor(() => expect(quick.alerts).toHaveLength(sent), soon);
    };
    // The kernel takes some MB; what is left here then is little, and allowed for a while.
    const isStuck = () => one.connections.some(({ writableLength }) => writableLength > 0);
    let since = performance.now(); // when nothing was left here for the last time
    for (let stuck = 0; stuck < 2 && sent < 200; stuck = isStuck() ? stuck + 1 : 0) {
      if (stuck === 0) since = performance.now();
      await send('x'.repeat(128 * 1024));
    }
    const { slowConsumers } = one.broadcaster.stats();
    if (performance.now() - since < 900) expect(slowConsumers).toBe(0);
    while (one.broadcaster.stats().slowConsumers === 0 && performance.now() - since < 10_000) {
      await send('tick');
    }
    ws.resume();

    expect(await closed).toMatchObject({ context: { code: 1001, reason: 'slow_consumer' } });
    expect(performance.now() - since).toBeGreaterThan(900);
    expect(logged('slow viewer cut').at(-1)).toMatchObject({ why: 'send_timeout' });
    expect(quick.socket.connected).toBe(true);
  });
});
