import { Redis } from 'ioredis';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberOn, switchOff, switchOn, untilAttribute } from '#tests/support/console-page.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { startWatchedSystem, type WatchedSystem } from '#tests/support/watched-system.ts';
import { quarantined, untilRecovered } from '#tests/support/witness.ts';

let watched: WatchedSystem;
let system: System;
let page: Page;

beforeAll(async () => {
  watched = await startWatchedSystem();
  ({ system, page } = watched);
});
afterAll(() => watched?.close());

describe('a fault clicked in the browser', () => {
  it('redis refused: work waits in memory, and a client through the proxy is refused', async () => {
    await switchOn(page, 'redis', 'connection_error');
    const { host, port } = system.wiring.proxied.redis;
    const client = new Redis({
      host,
      port,
      lazyConnect: true,
      retryStrategy: () => null,
      connectTimeout: 1000,
    });
    client.on('error', () => {}); // told by connect()
    await expect(client.connect()).rejects.toThrow();
    client.disconnect();
    await until('work waits in memory', 15_000, async () => {
      const queue = (await system.state()).pipeline?.queues.find((each) => each.name === 'detection');
      return (queue?.tiers.memory ?? 0) > 0;
    });
    await untilAttribute(page, 'mode', 'data-mode', 'MINIMAL');
    await switchOff(page, 'redis', 'connection_error');
    await untilRecovered(system, page);
  });

  it('database refused: port 8000 answers 503 with Retry-After or stale data', async () => {
    await switchOn(page, 'database', 'connection_error');
    await until('viewers get 503 or stale data', 15_000, async () => {
      const answer = await fetch(`${system.backendUrl}/api/events`, { signal: AbortSignal.timeout(5000) });
      const body = (await answer.json()) as { stale?: boolean };
      return (
        (answer.status === 503 && answer.headers.get('retry-after') !== null) ||
        (answer.status === 200 && body.stale === true)
      );
    });
    await untilAttribute(page, 'mode', 'data-mode', 'MINIMAL');
    await switchOff(page, 'database', 'connection_error');
    await untilRecovered(system, page);
  });

  it('network latency: calls through the proxies take at least 500 ms', async () => {
    await switchOn(page, 'network', 'latency');
    const { host, port } = system.wiring.proxied.yolo26;
    const times: number[] = [];
    for (let call = 0; call < 10; call++) {
      const startedAt = performance.now();
      await (
        await fetch(`http://${host}:${port}/health`, { signal: AbortSignal.timeout(10_000) })
      ).arrayBuffer();
      times.push(performance.now() - startedAt);
    }
    times.sort((a, b) => a - b);
    expect(times[9]).toBeGreaterThanOrEqual(500); // p95 of ten
    await until('the page shows the latency', 15_000, async () => {
      const ms = await numberOn(page, 'service-yolo26', /p99\s*(\d+) ms/);
      const seconds = await numberOn(page, 'service-yolo26', /p99\s*([\d.]+) s/);
      return (ms ?? 0) >= 500 || (seconds ?? 0) >= 1;
    });
    await switchOff(page, 'network', 'latency');
    await untilRecovered(system, page);
  });

  it('ftp timeout: partial uploads go to quarantine, and the cameras send them again', async () => {
    const deadLettersShown = () => numberOn(page, 'chart-dead-letters', /count\s*(\d+)/);
    const lettersBefore = await deadLettersShown();
    const before = quarantined(system).length;
    await switchOn(page, 'ftp', 'timeout');
    await until('partial uploads are in quarantine', 20_000, () => quarantined(system).length > before);
    await until(
      'the page shows their dead letters',
      15_000,
      async () => ((await deadLettersShown()) ?? 0) > (lettersBefore ?? 0),
    );
    await switchOff(page, 'ftp', 'timeout');
    await untilRecovered(system, page);
  });
});
