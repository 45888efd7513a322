import type { Page } from 'playwright-core';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberOn, switchOff, switchOn, untilAttribute } from '#tests/support/console-page.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { startWatchedSystem, type WatchedSystem } from '#tests/support/watched-system.ts';
import { untilRecovered } from '#tests/support/witness.ts';

let watched: WatchedSystem;
let system: System;
let page: Page;

beforeAll(async () => {
  watched = await startWatchedSystem();
  ({ system, page } = watched);
});
afterAll(() => watched?.close());

describe('a fault clicked in the browser', () => {
  it('yolo26 timeout: the breaker opens and degraded rows are stored', async () => {
    await switchOn(page, 'yolo26', 'timeout');
    await until('degraded rows are stored', 20_000, async () => {
      const [row] = await system.sql<{ n: number }>(
        'select count(*)::int as n from detections where degraded',
      );
      return (row?.n ?? 0) > 0;
    });
    await until('the breaker is open', 15_000, async () => {
      const breaker = (await system.state()).pipeline?.breakers.find((each) => each.name === 'yolo26');
      return breaker?.state === 'OPEN';
    });
    await page
      .locator('[data-testid="breaker-yolo26"]:is([data-state="OPEN"],[data-state="HALF_OPEN"])')
      .first()
      .waitFor({ timeout: 10_000 });
    await untilAttribute(page, 'mode', 'data-mode', 'DEGRADED');
    await switchOff(page, 'yolo26', 'timeout');
    await untilRecovered(system, page);
    const [owed] = await until('degraded rows are detected again', 40_000, async () => {
      const rows = await system.sql<{ n: number }>(
        'select count(*)::int as n from detections where degraded or owed',
      );
      return rows[0]?.n === 0 ? rows : undefined;
    });
    expect(owed?.n).toBe(0);
  });

  it('nemotron timeout: events get a marked default score, replaced by the LLM later', async () => {
    await switchOn(page, 'nemotron', 'timeout');
    const marked = await until('an event with a default score', 25_000, async () => {
      const rows = await system.sql<{ event_id: string }>(
        "select event_id from events where risk_source <> 'llm'",
      );
      return rows.length > 0 ? rows.map((row) => row.event_id) : undefined;
    });
    await untilAttribute(page, 'mode', 'data-mode', 'DEGRADED');
    await switchOff(page, 'nemotron', 'timeout');
    await untilRecovered(system, page);
    await until('every marked event has the answer of the LLM', 60_000, async () => {
      const [row] = await system.sql<{ n: number }>(
        "select count(*)::int as n from events where event_id = any($1) and risk_source = 'llm' and not owed",
        [marked],
      );
      return row?.n === marked.length;
    });
  });

  it('gpu thermal_throttle: the clock falls in /health of the service', async () => {
    const clock = async () => {
      const health = await fetch(`${system.wiring.direct.yolo26}/health`, {
        signal: AbortSignal.timeout(3000),
      });
      return ((await health.json()) as { sm_clock_mhz: number }).sm_clock_mhz;
    };
    const before = await clock();
    await switchOn(page, 'gpu', 'thermal_throttle');
    await until('the clock has fallen', 20_000, async () => (await clock()) < before - 100);
    await until('the page shows it', 15_000, async () => {
      const shownMhz = await numberOn(page, 'chart-thermals', /clock\s*(\d+)\s*MHz/);
      return shownMhz !== undefined && shownMhz < before - 100;
    });
    await switchOff(page, 'gpu', 'thermal_throttle');
    await untilRecovered(system, page);
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
    await switchOff(page, 'pubsub', 'connection_error');
    await untilRecovered(system, page);
  });
});
