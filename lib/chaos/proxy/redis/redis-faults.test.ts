import { connect as connectTcp } from 'node:net';
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
  proxy = await harness.open('redis', redis);
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

async function connect(): Promise<Redis> {
  const client = new Redis({
    host: '127.0.0.1',
    port: proxy.port,
    commandTimeout: 3000,
    maxRetriesPerRequest: 1,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => 20,
  });
  client.on('error', () => {});
  clients.push(client);
  await client.ping();
  return client;
}

const outcome = (work: Promise<unknown>) =>
  work.then(
    (value) => String(value),
    (error: Error) => error.message,
  );

describe('error_reply', () => {
  it.each([
    ['OOM', /^OOM command not allowed when used memory > 'maxmemory'\. \[brownout:f\d+\]$/],
    ['READONLY', /^READONLY You can't write against a read only replica\. \[brownout:f\d+\]$/],
  ])('answers %s to writes in its own words and lets reads through, until its TTL', async (kind, text) => {
    const client = await connect();
    await client.set('kept', 'before');
    await harness.arm('redis', 'error_reply', { params: { kind }, ttlMs: 2500 });
    expect(await outcome(client.set('kept', 'after'))).toMatch(text);
    expect(await outcome(client.eval("return redis.call('set', 'kept', 'lua')", 0))).toMatch(text);
    expect(await client.get('kept')).toBe('before');
    expect(harness.injector.activity()[0]).toMatchObject({
      hits: 2,
      hitsByKind: { SET: 1, EVAL: 1 },
      seen: 2,
    });
    await vi.waitFor(() => expect(harness.injector.all()).toEqual([]), 8000);
    expect(await outcome(client.set('kept', 'after'))).toBe('OK');
    expect(await client.get('kept')).toBe('after');
  });

  it.each(['LOADING', 'BUSY', 'MASTERDOWN'])('answers %s to every command', async (kind) => {
    const client = await connect();
    const id = await harness.arm('redis', 'error_reply', { params: { kind } });
    expect(await outcome(client.get('a'))).toMatch(new RegExp(`^${kind} .*\\[brownout:${id}\\]$`));
    expect(await outcome(client.set('a', 1))).toMatch(new RegExp(`^${kind} `));
    await harness.end(id);
    expect(await outcome(client.set('a', 1))).toBe('OK');
  });

  it('aborts a transaction whose write was refused, on both sides', async () => {
    const client = await connect();
    await client.del('one', 'two');
    await harness.arm('redis', 'error_reply', { match: { command: 'INCR' } });
    expect(await outcome(client.multi().set('one', 1).incr('two').exec())).toContain('EXECABORT');
    await harness.endAll();
    expect(await client.exists('one', 'two')).toBe(0);
  });
});

describe('connection_reset', () => {
  it('resets the connection of each command it hits, before Redis sees it, and clients come back', async () => {
    const client = await connect();
    await client.del('counter');
    let closes = 0;
    client.on('close', () => closes++);
    const id = await harness.arm('redis', 'connection_reset', { ratio: 1, match: { command: 'INCR' } });
    expect(await client.get('counter')).toBeNull();
    expect(await outcome(client.incr('counter'))).not.toBe('1');
    expect(closes).toBeGreaterThan(0);
    expect(harness.injector.activity()[0]?.hitsByKind['INCR']).toBeGreaterThan(0);
    await harness.end(id);
    await vi.waitFor(async () => expect(await client.incr('counter')).toBe(1), 8000);
  });

  it('gives the same verdicts for the same seed', async () => {
    const command = () =>
      new Promise<string>((resolve) => {
        const socket = connectTcp(proxy.port, '127.0.0.1');
        socket.write('ECHO hello\r\n');
        socket.once('error', () => resolve('reset'));
        socket.once('data', () => {
          socket.destroy();
          resolve('ok');
        });
      });
    const run = async () => {
      const results: string[] = [];
      const id = await harness.arm('redis', 'connection_reset', { ratio: 0.3, seed: 11 });
      for (let n = 0; n < 20; n++) results.push(await command());
      await harness.end(id);
      return results;
    };
    const first = await run();
    expect(new Set(first)).toEqual(new Set(['ok', 'reset']));
    expect(await run()).toEqual(first);
  });
});
