import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import type { ServiceProxy } from '../service-proxy.ts';

let redis: TestRedis;
let harness: ProxyHarness;
let proxy: ServiceProxy;
const clients: Redis[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
  harness = startProxyHarness();
  proxy = await harness.open('pubsub', redis);
});
afterEach(async () => {
  await harness.endAll();
  for (const client of clients.splice(0)) client.disconnect();
  await vi.waitFor(() => expect(proxy.connections).toBe(0), 8000);
});
afterAll(async () => {
  await harness.close();
  await redis.close();
});

async function connect(protocol: 2 | 3, commandTimeout = 3000): Promise<Redis> {
  const client = new Redis({
    host: '127.0.0.1',
    port: proxy.port,
    protocol,
    commandTimeout,
    maxRetriesPerRequest: 1,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => 20,
  });
  client.on('error', () => {});
  clients.push(client);
  await client.ping();
  return client;
}

async function subscriber(protocol: 2 | 3, ...channels: string[]) {
  const client = await connect(protocol);
  const messages: string[] = [];
  client.on('message', (channel: string, text: string) => messages.push(`${channel}: ${text}`));
  await client.subscribe(...channels);
  return { client, messages };
}

const outcome = (work: Promise<unknown>) =>
  work.then(
    (value) => String(value),
    (error: Error) => error.message,
  );
const activity = () => harness.injector.activity()[0];

describe.each([2, 3] as const)('pub/sub faults over RESP%i', (protocol) => {
  it('message_loss: answers 0 and delivers nothing, also inside MULTI, until its TTL', async () => {
    const { messages } = await subscriber(protocol, 'events', 'alerts');
    const publisher = await connect(protocol);
    await harness.arm('pubsub', 'message_loss', { params: { channel: 'events' }, ttlMs: 2500 });
    expect(await publisher.publish('events', 'lost')).toBe(0);
    expect(await publisher.multi().publish('events', 'lost too').set('k', 'v').exec()).toEqual([
      [null, 0],
      [null, 'OK'],
    ]);
    expect(await publisher.publish('alerts', 'kept')).toBe(1);
    expect(activity()).toMatchObject({ hits: 2, seen: 2, hitsByKind: { PUBLISH: 2 } });
    await vi.waitFor(() => expect(harness.injector.all()).toEqual([]), 8000);
    expect(await publisher.publish('events', 'after')).toBe(1);
    await vi.waitFor(() => expect(messages).toEqual(['alerts: kept', 'events: after']), 5000);
  });

  it('publish_failure: answers publishing with an error and leaves everything else alone', async () => {
    const { messages } = await subscriber(protocol, 'events');
    const publisher = await connect(protocol);
    const id = await harness.arm('pubsub', 'publish_failure');
    expect(await outcome(publisher.publish('events', 'no'))).toContain(`[brownout:${id}]`);
    expect(await publisher.set('k', 'v')).toBe('OK');
    expect(activity()).toMatchObject({ hits: 1, hitsByKind: { PUBLISH: 1 } });
    await harness.end(id);
    expect(await publisher.publish('events', 'yes')).toBe(1);
    await vi.waitFor(() => expect(messages).toEqual(['events: yes']), 5000);
  });

  it('publish_timeout: holds the publisher; subscribers keep getting from others', async () => {
    const { messages } = await subscriber(protocol, 'events', 'other');
    const publisher = await connect(protocol, 1500);
    const id = await harness.arm('pubsub', 'publish_timeout', { params: { channel: 'events' } });
    expect(await outcome(publisher.publish('events', 'held'))).toMatch(/timed out/);
    const second = await connect(protocol);
    expect(await second.publish('other', 'passed')).toBe(1);
    expect(activity()).toMatchObject({ hits: 1, hitsByKind: { PUBLISH: 1 } });
    await harness.end(id);
    await vi.waitFor(async () => expect(await outcome(publisher.publish('events', 'again'))).toBe('1'), 8000);
    await vi.waitFor(() => expect(messages).toEqual(['other: passed', 'events: again']), 5000);
  });

  it('subscription_failure: refuses matching channels as an ACL would; open subscriptions stay', async () => {
    const { client, messages } = await subscriber(protocol, 'events');
    const id = await harness.arm('pubsub', 'subscription_failure', { params: { channel: 'secret' } });
    const refused = await outcome(client.subscribe('news', 'secret:1'));
    expect(refused).toBe(
      `NOPERM this user has no permissions to access one of the channels used as arguments [brownout:${id}]`,
    );
    expect(await outcome(client.psubscribe('secret*'))).toContain('NOPERM');
    expect(await client.subscribe('news')).toBe(2);
    const publisher = await connect(protocol);
    expect(await publisher.publish('events', 'still here')).toBe(1);
    expect(activity()).toMatchObject({ hits: 2, hitsByKind: { SUBSCRIBE: 1, PSUBSCRIBE: 1 } });
    await harness.end(id);
    expect(await client.subscribe('secret:1')).toBe(3);
    await vi.waitFor(() => expect(messages).toEqual(['events: still here']), 5000);
  });

  it('disconnect: resets open connections and new ones after their time', async () => {
    const { client, messages } = await subscriber(protocol, 'events');
    let closes = 0;
    client.on('close', () => closes++);
    const id = await harness.arm('pubsub', 'disconnect', { params: { lifeMs: 150 } });
    await vi.waitFor(() => expect(closes).toBeGreaterThanOrEqual(3), 10_000);
    expect(activity()?.hitsByKind['connection']).toBeGreaterThanOrEqual(3);
    await harness.end(id);
    const publisher = await connect(protocol);
    await vi.waitFor(async () => expect(await publisher.publish('events', 'back')).toBe(1), 8000);
    await vi.waitFor(() => expect(messages).toEqual(['events: back']), 5000);
  });
});
