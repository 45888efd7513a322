import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { untilAttribute } from '#tests/support/console-page.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import type { WatchedSystem } from '#tests/support/watched-system.ts';

const ANSWERS = [
  'live-status',
  'mode',
  'wall-broken',
  'wall-not-ours',
  'wall-loss',
  'wall-recovery',
  'wall-stop',
];

/** `/wall`: the seven questions, for a room. */
export function wallPage(watched: () => WatchedSystem): void {
  describe('the wall', () => {
    let system: System;
    let page: Page;

    beforeAll(async () => {
      system = watched().system;
      await system.untilSteady();
      const { context } = watched().browser;
      page = await context.newPage();
      await page.setViewportSize({ width: 1920, height: 1080 });
      await page.addInitScript(keepWakeLocks);
      await page.goto(`${system.url}/wall`);
      await untilAttribute(page, 'live-status', 'data-state', 'live', 40_000);
    });
    afterAll(() => page?.close());
    const status = (id: string, value: string, timeout = 20_000) =>
      untilAttribute(page, id, 'data-status', value, timeout);

    it('answers all seven questions when all is well, large enough for a room', async () => {
      await untilAttribute(page, 'mode', 'data-mode', 'NORMAL');
      for (const id of ['wall-broken', 'wall-not-ours', 'wall-loss']) await status(id, 'normal');
      await expectAllAnswers(page);
      expect(await smallTexts(page)).toEqual([]);
    });

    it('asks for the screen to stay awake, and has nothing to break anything with', async () => {
      expect(
        await page.evaluate(() => (globalThis as unknown as { wakeLocksAsked: string[] }).wakeLocksAsked),
      ).toContain('screen');
      await untilAttribute(page, 'wake-lock', 'data-wake', 'awake');
      expect(await page.getByRole('button').count()).toBe(0);
      expect(await page.getByRole('switch').count()).toBe(0);
      expect((await system.state()).operators.map(({ name }) => name)).toContain('Wall');
    });

    it('shows three faults with who and how long, large and before what is well', async () => {
      await system.startFault('nemotron', 'timeout');
      await system.startFault('redis', 'connection_error');
      await system.startFault('gpu', 'thermal_throttle');
      await status('wall-broken', 'injected');
      await until('all three are named', 10_000, async () => {
        const text = (await page.getByTestId('wall-broken').textContent()) ?? '';
        return (
          /3 faults/.test(text) &&
          ['nemotron', 'redis', 'gpu'].every((name) => text.includes(name)) &&
          /\d:\d\d left/.test(text)
        );
      });
      await page.locator('[data-testid="mode"]:not([data-mode="NORMAL"])').waitFor({ timeout: 20_000 });
      await page.getByTestId('mode-why').filter({ hasText: 'INJECTED' }).waitFor({ timeout: 20_000 });
      const [abnormal, well] = await Promise.all([
        page.getByTestId('wall-broken').boundingBox(),
        page.getByTestId('wall-not-ours').boundingBox(),
      ]);
      if ((await page.getByTestId('wall-not-ours').getAttribute('data-status')) === 'normal') {
        expect(abnormal?.height ?? 0).toBeGreaterThan(well?.height ?? 0);
        expect(abnormal?.y ?? 0).toBeLessThan(well?.y ?? 0);
      }
      await expectAllAnswers(page);
      expect(await smallTexts(page)).toEqual([]);
    });

    it('halts by Escape Escape, and says who did', async () => {
      await page.keyboard.press('Escape');
      await page.keyboard.press('Escape');
      await until('everything is halted', 5_000, async () => (await system.state()).halted !== null);
      await page.getByTestId('wall-halted').filter({ hasText: 'HALTED by Wall' }).waitFor();
      expect((await system.state()).faults).toEqual([]);
      await expectAllAnswers(page);
      await system.api('POST', '/resume', { reason: 'seen' });
      await page.getByTestId('wall-halted').waitFor({ state: 'detached' });
      await untilAttribute(page, 'mode', 'data-mode', 'NORMAL', 60_000);
    });

    it('names a process that went silent and that no fault of ours explains', async () => {
      const pid = await system.pid('cameras');
      process.kill(pid, 'SIGSTOP');
      try {
        await status('wall-not-ours', 'open', 30_000);
        await page.getByTestId('wall-not-ours').filter({ hasText: 'cameras' }).waitFor();
        await expectAllAnswers(page);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await status('wall-not-ours', 'normal', 30_000);
    });

    it('does not show an old picture as live', async () => {
      const pid = await system.pid('control');
      process.kill(pid, 'SIGSTOP');
      try {
        await page
          .locator('[data-testid="live-status"]:is([data-state="stale"],[data-state="no-data"])')
          .waitFor();
        await page.getByTestId('wall-stale').waitFor();
        await page.locator('[data-testid="mode"].stale').waitFor();
        await expectAllAnswers(page);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await untilAttribute(page, 'live-status', 'data-state', 'live', 30_000);
    });
  });
}

/** A headless browser has no screen to keep awake: what it is asked is kept. */
function keepWakeLocks(): void {
  const asked: string[] = [];
  Object.assign(globalThis, { wakeLocksAsked: asked });
  Object.defineProperty(navigator, 'wakeLock', {
    value: {
      request: (type: string) => {
        asked.push(type);
        return Promise.resolve(
          Object.assign(new EventTarget(), { released: false, release: async () => {} }),
        );
      },
    },
  });
}

/** Each answer is on the screen whole, without scrolling. */
async function expectAllAnswers(page: Page): Promise<void> {
  for (const id of ANSWERS) {
    const box = await page.getByTestId(id).first().boundingBox();
    expect(box, id).not.toBeNull();
    if (!box) continue;
    expect(box.y, id).toBeGreaterThanOrEqual(0);
    expect(box.y + box.height, id).toBeLessThanOrEqual(1080);
    expect(box.x + box.width, id).toBeLessThanOrEqual(1920);
  }
}

/** Texts drawn smaller than 18 px on the screen; a drawing's own scale counts. */
function smallTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!element || !node.textContent?.trim() || element.closest('script,style,noscript,title,.sr-only'))
        continue;
      const scale = element instanceof SVGGraphicsElement ? (element.getScreenCTM()?.a ?? 1) : 1;
      const px = Number.parseFloat(getComputedStyle(element).fontSize) * scale;
      if (px < 17.9) found.push(`${px} px: ${node.textContent.trim().slice(0, 40)}`);
    }
    return found;
  });
}
