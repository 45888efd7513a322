import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { GpuStatus } from '#lib/protocol/state.ts';
import { numberOn, untilAttribute } from '#tests/support/console-page.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import type { WatchedSystem } from '#tests/support/watched-system.ts';

/** `/gpu`: what the card tells, as the page has it. */
export function gpuPage(watched: () => WatchedSystem): void {
  describe('/gpu', () => {
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

    async function gpu(): Promise<GpuStatus> {
      const { inference } = await system.state();
      if (!inference) throw new Error('the inference process does not report');
      return inference.gpu;
    }
    const textOf = async (testId: string) => (await page.getByTestId(testId).textContent()) ?? '';

    it('is reached from the charts of the console and shows what the card tells', async () => {
      await page.getByTestId('chart-link-vram').click();
      await page.waitForURL('**/gpu');
      await page.getByTestId('gpu-card').waitFor();
      await until('the page agrees with the card', 15_000, async () => {
        const card = await gpu();
        return (
          card.temperatureC === (await numberOn(page, 'gpu-temperature', /(\d+) °C/)) &&
          card.smClockMhz === (await numberOn(page, 'gpu-clock', /(\d+) MHz/)) &&
          card.powerW === (await numberOn(page, 'gpu-power', /(\d+) W/)) &&
          card.maxBatchSize === (await numberOn(page, 'gpu-batch', /(\d+)/))
        );
      });
      expect(await textOf('vram-largest')).toContain('one image needs 180 MiB');
      expect(await page.getByTestId('out-of-memory-line').count()).toBe(1);
      await until(
        'images are counted',
        20_000,
        async () => ((await numberOn(page, 'gpu-images', /([\d.]+)/)) ?? 0) > 0,
      );
    });

    it('marks every part and every chart as simulated', async () => {
      const parts = await page.locator('main section:has(h3), main figure').all();
      expect(parts.length).toBeGreaterThanOrEqual(12);
      for (const part of parts) {
        expect(
          await part.getByTestId('simulated').count(),
          await part.getAttribute('aria-label').then(String),
        ).toBeGreaterThan(0);
      }
    });

    it('shows heat as the card has it: paused, why the clock is low, and for how long', async () => {
      await system.startFault('gpu', 'thermal_throttle', { params: { sinkFactor: 8, inletDeltaK: 15 } });
      await page.getByTestId('active-fault-gpu-thermal_throttle').waitFor();
      await until('the card pauses', 60_000, async () => (await gpu()).paused);
      await until('the page says so', 5000, async () =>
        (await textOf('gpu-status')).includes('PAUSED BY HEAT'),
      );
      await until('the reason is named', 5000, async () =>
        /SW thermal slowdown\s*NOW/.test(await textOf('clock-events')),
      );
      await until('its time is counted', 30_000, async () => {
        const { throttledMs } = (await gpu()).clockEvents;
        const told = await numberOn(page, 'gpu-throttled', /heat ([\d.]+) s/);
        return throttledMs > 3000 && told !== undefined && Math.abs(told * 1000 - throttledMs) < 2500;
      });
    });

    it('shows who takes the memory', async () => {
      const before = (await gpu()).memory.tenantsMib;
      await system.startFault('gpu', 'vram_exhaustion', { params: { mode: 'neighbour' } });
      await until(
        'the neighbour takes some',
        20_000,
        async () => (await gpu()).memory.tenantsMib > before + 500,
      );
      await until('the page shows it', 5000, async () => {
        const found = /([\d.]+) (MiB|GiB)/.exec(await textOf('vram-tenants'));
        const mib = Number(found?.[1]) * (found?.[2] === 'GiB' ? 1024 : 1);
        return mib > before + 400;
      });
    });

    it('lists an Xid with what to do, and counts the restart after it', async () => {
      const restarts = (await gpu()).restarts;
      const fault = await system.startFault('gpu', 'unavailable');
      await until('the card is gone', 5000, async () => (await textOf('gpu-status')).includes('OFF THE BUS'));
      expect(await textOf('xids')).toContain('GPU has fallen off the bus');
      await system.stopFault(fault.id);
      await until('its models are restarted', 15_000, async () => (await gpu()).restarts > restarts);
      await until(
        'the page counts them',
        5000,
        async () => ((await numberOn(page, 'gpu-restarts', /(\d+)/)) ?? 0) > restarts,
      );
    });

    it('says that what it shows is old while the inference process is down', async () => {
      await system.startFault('inference', 'process_killed', { params: { holdMs: 120_000 } });
      await page.locator('[data-testid="gpu-card"].stale').waitFor({ timeout: 15_000 });
      expect(await textOf('gpu-card')).toContain('when last heard');
    });

    it('fits a phone', async () => {
      await until(
        'the card is heard again',
        30_000,
        async () => ((await system.state()).inference?.ageMs ?? 9e9) < 2000,
      );
      await untilAttribute(page, 'live-status', 'data-state', 'live');
      await page.setViewportSize({ width: 390, height: 844 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    });
  });
}
