import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SERVICE_NAMES } from '#lib/protocol/services.ts';
import type { BreakerStatus } from '#lib/protocol/state.ts';
import { axeViolations } from '#tests/support/axe.ts';
import { numberOn, untilAttribute } from '#tests/support/console-page.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import type { WatchedSystem } from '#tests/support/watched-system.ts';

/** `/services/:name`: a service whole, and nothing of the others. */
export function servicePage(watched: () => WatchedSystem): void {
  describe('/services/:name', () => {
    let system: System;
    let page: Page;

    beforeAll(async () => {
      system = watched().system;
      await system.untilSteady();
      page = await watched().browser.open(system.url);
    });
    afterAll(() => page?.close());
    afterEach(async () => {
      for (const { id } of (await system.state()).faults) await system.stopFault(id);
    });

    async function breakerOf(name: string): Promise<BreakerStatus | undefined> {
      return (await system.state()).pipeline?.breakers.find((each) => each.name === name);
    }
    const goTo = async (name: string) => {
      await page.goto(`${system.url}/services/${name}`);
      await untilAttribute(page, 'live-status', 'data-state', 'live', 40_000);
    };

    it('is reached from its tile without losing the live connection, and leads back', async () => {
      await page.getByTestId('service-page-nemotron').click();
      await page.waitForURL('**/services/nemotron');
      await untilAttribute(page, 'live-status', 'data-state', 'live');
      await untilAttribute(page, 'breaker-machine', 'data-state', 'CLOSED');
      await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Console' }).click();
      await page.getByTestId('service-nemotron').waitFor();
    });

    it('shows a fault with its promise, the breaker through its states, and the calls that moved it', async () => {
      await goTo('nemotron');
      await system.startFault('nemotron', 'timeout');
      await page.getByTestId('active-fault-nemotron-timeout').waitFor();
      expect(await page.getByTestId('promise-owed').first().textContent()).toContain('default risk score');
      await untilAttribute(page, 'breaker-machine', 'data-state', 'OPEN', 60_000);
      let first = Number.NaN;
      await until('the countdown goes down', 5000, async () => {
        const text = (await page.getByTestId('xray-countdown').textContent()) ?? '';
        const left = Number(/[\d.]+/.exec(text)?.[0]);
        if (Number.isNaN(first)) first = left;
        return left < first - 0.3;
      });
      await untilAttribute(page, 'breaker-machine', 'data-state', 'HALF_OPEN', 30_000);

      const opened = (await system.facts()).findLast(
        (fact) =>
          fact.type === 'breakerChanged' &&
          fact.subject === 'nemotron' &&
          fact.data.reason === 'failure_threshold',
      );
      const calls = opened?.type === 'breakerChanged' ? (opened.data.calls ?? []) : [];
      expect(calls).toHaveLength(3);
      expect(calls.every(({ origin }) => origin === 'injected')).toBe(true);
      const moves = await page.getByTestId('breaker-moves').textContent();
      for (const { error } of calls) expect(moves).toContain(error);

      await until('the page counts what the breaker counts', 10_000, async () => {
        const told = (await breakerOf('nemotron'))?.calls.injected;
        return (
          told !== undefined && told > 0 && told === (await numberOn(page, 'calls-injected-total', /(\d+)/))
        );
      });
    });

    it('extends and stops what is in force here', async () => {
      await goTo('redis');
      const { id, expiresAt } = await system.startFault('redis', 'latency', { ttlMs: 60_000 });
      const fault = page.getByTestId('active-fault-redis-latency');
      await fault.waitFor();
      await until('a part of it is over', 5000, async () => {
        const now = (await system.state()).faults.find((each) => each.id === id);
        return now !== undefined && now.leftMs < 58_500;
      });
      await fault.getByTestId('extend-fault').click();
      await until('it has its full time again', 5000, async () => {
        const now = (await system.state()).faults.find((each) => each.id === id);
        return now !== undefined && now.expiresAt > expiresAt + 1000;
      });
      await fault.getByTestId('stop-fault').click();
      await until('it is ended', 5000, async () => (await system.state()).faults.length === 0);
      await fault.waitFor({ state: 'detached' });
    });

    it('holds a breaker open by hand, says so, and resets it', async () => {
      await goTo('pubsub');
      await page.getByTestId('xray-open').click();
      await until('it is held', 5000, async () => (await breakerOf('broadcaster'))?.state === 'FORCED_OPEN');
      await untilAttribute(page, 'breaker-machine', 'data-state', 'FORCED_OPEN');
      expect(await page.getByTestId('service-status').textContent()).toContain('HELD OPEN');
      await page.getByTestId('xray-reset').click();
      await until('it is closed', 5000, async () => (await breakerOf('broadcaster'))?.state === 'CLOSED');
    });

    it('tells the story of this service alone', async () => {
      await system.startFault('database', 'latency');
      await system.startFault('ftp', 'latency');
      await goTo('ftp');
      await page.locator('[data-testid="story-line"][data-type="faultStarted"]').first().waitFor();
      const story = (await page.getByTestId('story').textContent()) ?? '';
      expect(story).toContain('broke ftp');
      expect(story).not.toContain('database');
      expect(await page.getByTestId('active-fault-database-latency').count()).toBe(0);
    });

    it('shows the pool of the database and the queues of redis', async () => {
      await goTo('database');
      await page.getByTestId('service-pool').waitFor();
      await goTo('redis');
      await page.getByTestId('queue-detection').waitFor();
      await page.getByTestId('queue-analysis').waitFor();
    });

    it('says that the process behind it is held down', async () => {
      await goTo('yolo26');
      await system.startFault('inference', 'process_killed', { params: { holdMs: 120_000 } });
      await until('the page says so', 10_000, async () =>
        (await page.getByTestId('service-status').textContent())?.includes('HELD DOWN'),
      );
    });

    it('answers an unknown name with 404 and a way on, HALT at hand', async () => {
      const answer = await page.goto(`${system.url}/services/postgres`);
      expect(answer?.status()).toBe(404);
      const missing = page.getByTestId('service-not-found');
      await missing.waitFor();
      expect(await missing.textContent()).toContain('There is no service postgres');
      expect(await page.getByTestId('halt-button').isVisible()).toBe(true);
      expect(await axeViolations(page)).toEqual([]);
      await missing.getByRole('link', { name: 'database' }).click();
      await page.getByTestId('service-pool').waitFor();
      expect((await page.goto(`${system.url}/nowhere`))?.status()).toBe(404);
      await page.getByTestId('page-not-found').waitFor();
    });

    it('exists for every service', async () => {
      for (const name of SERVICE_NAMES) {
        expect((await fetch(`${system.url}/services/${name}`)).status, name).toBe(200);
      }
    });

    it('fits a phone', async () => {
      await system.startFault('nemotron', 'timeout');
      await goTo('nemotron');
      await page.getByTestId('active-fault-nemotron-timeout').waitFor();
      await page.setViewportSize({ width: 390, height: 844 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
      for (const testId of ['live-status', 'mode', 'ledger', 'halt-button']) {
        expect(await page.getByTestId(testId).isVisible(), testId).toBe(true);
      }
    });
  });
}
