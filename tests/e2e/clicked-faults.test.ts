import type { Page } from 'playwright-core';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberOn, switchOff, switchOn, untilAttribute } from '#tests/support/console-page.ts';
import { timeThrough } from '#tests/support/paths.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { startWatchedSystem, type WatchedSystem } from '#tests/support/watched-system.ts';
import { quarantined, untilRecovered } from '#tests/support/witness.ts';

/** One fault of each service, clicked; its effect seen from outside the page, and on the page. */
let watched: WatchedSystem;
let system: System;
let page: Page;
/** Ids of events that were given a default score. */
let marked: string[] = [];

beforeAll(async () => {
  watched = await startWatchedSystem();
  ({ system, page } = watched);
});
afterAll(() => watched?.close());

/** Clicks it off, and waits for the mode: what was accepted meanwhile is counted once, at the end. */
async function switchOffUntilNormal(service: string, type: string): Promise<void> {
  await switchOff(page, service, type);
  await untilAttribute(page, 'mode', 'data-mode', 'NORMAL', 60_000);
}

async function countOf(query: string, values: unknown[] = []): Promise<number> {
  const [row] = await system.sql<{ n: number }>(`select count(*)::int as n from ${query}`, values);
  return row?.n ?? Number.NaN;
}

describe('a fault clicked in the browser', () => {
  it('yolo26 timeout: the breaker opens and degraded rows are stored', async () => {
    await switchOn(page, 'yolo26', 'timeout');
    await until(
      'degraded rows are stored',
      20_000,
      async () => (await countOf('detections where degraded')) > 0,
    );
    await until('the breaker is open', 15_000, async () => {
      const breaker = (await system.state()).pipeline?.breakers.find((each) => each.name === 'yolo26');
      return breaker?.state === 'OPEN';
    });
    await page
      .locator('[data-testid="breaker-yolo26"]:is([data-state="OPEN"],[data-state="HALF_OPEN"])')
      .first()
      .waitFor({ timeout: 10_000 });
    await untilAttribute(page, 'mode', 'data-mode', 'DEGRADED', 30_000);
    await switchOffUntilNormal('yolo26', 'timeout');
  });

  it('nemotron timeout: events get a marked default score', async () => {
    await switchOn(page, 'nemotron', 'timeout');
    marked = await until('an event with a default score', 25_000, async () => {
      const rows = await system.sql<{ event_id: string }>(
        "select event_id from events where risk_source <> 'llm'",
      );
      return rows.length > 0 ? rows.map((row) => row.event_id) : undefined;
    });
    await untilAttribute(page, 'mode', 'data-mode', 'DEGRADED', 30_000);
    await switchOffUntilNormal('nemotron', 'timeout');
  });

  it('gpu thermal_throttle: the clock falls in /health of the service', async () => {
    const clock = async () => {
      const health = await fetch(`${system.wiring.direct.yolo26}/health`, {
        signal: AbortSignal.timeout(3000),
      });
      return ((await health.json()) as { sm_clock_mhz: number }).sm_clock_mhz;
    };
    const before = await until('the service tells its clock', 15_000, clock);
    await switchOn(page, 'gpu', 'thermal_throttle');
    await until('the clock has fallen', 20_000, async () => (await clock()) < before - 100);
    await until('the page shows it', 15_000, async () => {
      const shownMhz = await numberOn(page, 'chart-thermals', /clock\s*(\d+)\s*MHz/);
      return shownMhz !== undefined && shownMhz < before - 100;
    });
    await switchOffUntilNormal('gpu', 'thermal_throttle');
  });

  it('pubsub refused: a viewer still receives events, sent directly', async () => {
    const events: unknown[] = [];
    const viewer = io(system.backendUrl, { transports: ['websocket'] });
    viewer.on('events', (event: unknown) => events.push(event));
    await until('the viewer receives events', 30_000, () => events.length > 0);
    await switchOn(page, 'pubsub', 'connection_error');
    const seen = events.length;
    await until('a viewer receives events without Redis pub/sub', 15_000, () => events.length > seen);
    await until(
      'the direct count is above 0',
      15_000,
      async () => ((await system.state()).pipeline?.viewers.direct ?? 0) > 0,
    );
    await until(
      'the page shows it',
      15_000,
      async () => ((await numberOn(page, 'viewer-events', /(\d+) direct/)) ?? 0) > 0,
    );
    viewer.close();
    await switchOffUntilNormal('pubsub', 'connection_error');
  });

  it('redis refused: work waits in memory, and a client through the proxy is refused', async () => {
    await switchOn(page, 'redis', 'connection_error');
    await expect(timeThrough(system, 'redis')).rejects.toThrow();
    await until('work waits in memory', 15_000, async () => {
      const queue = (await system.state()).pipeline?.queues.find((each) => each.name === 'detection');
      return (queue?.tiers.memory ?? 0) > 0;
    });
    await untilAttribute(page, 'mode', 'data-mode', 'MINIMAL', 30_000);
    await switchOffUntilNormal('redis', 'connection_error');
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
    await untilAttribute(page, 'mode', 'data-mode', 'MINIMAL', 30_000);
    await switchOffUntilNormal('database', 'connection_error');
  });

  it('network latency: calls through the proxies take at least 500 ms', async () => {
    await switchOn(page, 'network', 'latency');
    const { host, port } = system.wiring.proxied.yolo26;
    const times: number[] = [];
    for (let call = 0; call < 5; call++) {
      const startedAt = performance.now();
      await (
        await fetch(`http://${host}:${port}/health`, { signal: AbortSignal.timeout(10_000) })
      ).arrayBuffer();
      times.push(performance.now() - startedAt);
    }
    expect(Math.max(...times)).toBeGreaterThanOrEqual(500);
    await until('the page shows the latency', 15_000, async () => {
      const ms = await numberOn(page, 'service-yolo26', /p99\s*(\d+) ms/);
      const seconds = await numberOn(page, 'service-yolo26', /p99\s*([\d.]+) s/);
      return (ms ?? 0) >= 500 || (seconds ?? 0) >= 1;
    });
    await switchOffUntilNormal('network', 'latency');
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
    await switchOffUntilNormal('ftp', 'timeout');
  });

  it('after all of them nothing is lost, doubled or owed, and each default score was replaced', async () => {
    await untilRecovered(system, page);
    expect(marked.length).toBeGreaterThan(0);
    await until('every marked event has the answer of the LLM', 60_000, async () => {
      const answered = "events where event_id = any($1) and risk_source = 'llm' and not owed";
      return (await countOf(answered, [marked])) === marked.length;
    });
    await until(
      'degraded rows are detected again',
      40_000,
      async () => (await countOf('detections where degraded or owed')) === 0,
    );
  });
});
