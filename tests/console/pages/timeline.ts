import { readFile } from 'node:fs/promises';
import type { Download, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestBrowser } from '#tests/support/browser.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import type { WatchedSystem } from '#tests/support/watched-system.ts';

/** `/timeline`: what was, also before its page was opened. */
export function timelinePage(watched: () => WatchedSystem): void {
  describe('the timeline', () => {
    let system: System;
    let browser: TestBrowser;
    let page: Page;
    let faultId: string;
    /** What its sockets were told. */
    const heard: string[] = [];

    beforeAll(async () => {
      ({ system, browser } = watched());
      faultId = (await system.startFault('redis', 'latency', { params: { latencyMs: 20 } })).id;
      await note('before anybody looked');
      await system.stopFault(faultId);
      browser.context.once('page', (opened) =>
        opened.on('websocket', (socket) =>
          socket.on('framereceived', ({ payload }) => heard.push(String(payload))),
        ),
      );
      page = await browser.open(`${system.url}/timeline`);
    });
    afterAll(() => page?.close());
    async function note(text: string): Promise<void> {
      await system.api('POST', '/notes', { text });
    }

    const lines = (of: Page = page) => of.getByTestId('fact-line');
    const line = (text: string) => lines().filter({ hasText: text });

    async function contentOf(download: Download): Promise<string> {
      return readFile(await download.path(), 'utf8');
    }

    async function saved(press: () => Promise<void>): Promise<Download> {
      const [download] = await Promise.all([page.waitForEvent('download', { timeout: 10_000 }), press()]);
      return download;
    }

    it('has what happened before the browser came: facts, bands and samples', async () => {
      await line('before anybody looked').waitFor({ timeout: 5_000 });
      expect(await lines().filter({ hasText: 'broke redis' }).count()).toBe(1);
      await page
        .getByTestId('ribbon')
        .getByLabel(/^1 faults/)
        .waitFor({ timeout: 5_000 });
      const openedAt = await page.evaluate(() => performance.timeOrigin);
      await page.getByTestId('window-1').click();
      await page.getByTestId('chart-table-toggle').click();
      const table = page.getByTestId('chart-table');
      await until('a sample from before the page was opened is in the table', 10_000, async () => {
        const rows = await table
          .locator('tbody tr')
          .evaluateAll((each) => each.map((row) => [...row.children].map((cell) => cell.textContent ?? '')));
        const opened = new Date(openedAt - 1_000).toTimeString().slice(0, 8);
        return rows.some(
          ([time = '', ...values]) => time < opened && values.some((value) => /\d/.test(value)),
        );
      });
      await page.getByTestId('chart-table-toggle').click();
      await page.getByTestId('window-5').click();
    });

    it('stands still when it is moved back, goes on taking data in, and jumps to live', async () => {
      await page.getByTestId('pan-back').click();
      await page.getByTestId('to-live').waitFor();
      await note('while it stood still');
      await until('the page is told', 5_000, () =>
        heard.some((frame) => frame.includes('while it stood still')),
      );
      await page.evaluate(
        () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
      );
      expect(await line('while it stood still').count()).toBe(0);
      await page.getByTestId('to-live').click();
      await line('while it stood still').waitFor({ timeout: 5_000 });
      expect(await page.getByTestId('to-live').count()).toBe(0);
    });

    it('is moved by dragging the ribbon and by the keys of its slider', async () => {
      const box = await page.getByTestId('ribbon').locator('svg[role="img"]').boundingBox();
      if (!box) throw new Error('the ribbon is not on the page');
      const y = box.y + box.height / 2;
      await page.mouse.move(box.x + box.width / 2, y);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width / 2 + 300, y, { steps: 5 });
      await page.mouse.up();
      await page.getByTestId('to-live').waitFor();
      await page.getByTestId('to-live').click();
      await page.getByTestId('scrub').focus();
      for (let presses = 0; presses < 20; presses++) await page.keyboard.press('ArrowLeft');
      await page.getByTestId('to-live').waitFor();
      await page.keyboard.press('End');
      await page.getByTestId('to-live').waitFor({ state: 'detached' });
    });

    it('loads the hour from the recorder when asked for it', async () => {
      const [answer] = await Promise.all([
        page.waitForResponse((response) => response.url().includes('stepMs=8000')),
        page.getByTestId('window-60').click(),
      ]);
      expect(answer.status()).toBe(200);
      await page.getByTestId('history-phase').waitFor({ state: 'detached' });
      await page.getByTestId('window-5').click();
    });

    it('filters by type, service and fault, and says how many it hides', async () => {
      await page.getByTestId('filter-type').selectOption('note');
      await until('notes alone are listed', 5_000, async () => {
        const types = await lines().evaluateAll((each) => each.map((one) => one.getAttribute('data-type')));
        return types.length >= 2 && types.every((type) => type === 'note');
      });
      expect(await page.getByTestId('fact-count').textContent()).toMatch(/^\d+ of \d+$/);
      await page.getByTestId('filter-clear').click();
      await page.getByTestId('filter-fault').selectOption(faultId);
      await until('the facts of the fault are listed', 5_000, async () => (await lines().count()) === 2);
      await page.getByTestId('filter-service').selectOption('yolo26');
      await page.getByText(/passes the filter/).waitFor();
      await page.getByTestId('filter-clear').click();
    });

    it('saves facts and series as files that hold what the server knows', async () => {
      await page.getByTestId('window-15').click();
      await page.getByTestId('filter-type').selectOption('note');
      const csv = await contentOf(await saved(() => page.getByTestId('save-facts-csv').click()));
      const notes = (await system.facts()).filter((fact) => fact.type === 'note');
      const rows = csv.trimEnd().split('\r\n');
      expect(rows[0]).toMatch(/^seq,time,epochMs,type/);
      expect(rows.slice(1).map((row) => Number(row.split(',')[0]))).toEqual(notes.map((fact) => fact.seq));
      const json = await contentOf(await saved(() => page.getByTestId('save-facts-json').click()));
      expect((JSON.parse(json) as { facts: unknown[] }).facts).toEqual(notes);
      await page.getByTestId('filter-clear').click();

      await page.getByTestId('export').click();
      const download = await saved(() => page.getByTestId('export-series-csv').click());
      expect(download.suggestedFilename()).toMatch(/^brownout-series-\d{8}T\d{6}Z-\d{8}T\d{6}Z\.csv$/);
      const [head = '', ...samples] = (await contentOf(download)).trimEnd().split('\r\n');
      const column = head.split(',').findIndex((name) => name.startsWith('throughput.uploadsPerSecond'));
      expect(samples.some((row) => Number(row.split(',')[column]) > 0)).toBe(true);
    });

    it('gives a moment an address that another page opens at the same place', async () => {
      await browser.context.grantPermissions(['clipboard-read', 'clipboard-write']);
      const box = await page.getByTestId('ribbon').locator('svg[role="img"]').boundingBox();
      if (!box) throw new Error('the ribbon is not on the page');
      await page.mouse.click(box.x + box.width * 0.8, box.y + box.height / 2);
      await page.getByTestId('clear-mark').waitFor();
      await page.getByTestId('copy-link').click();
      const url = await until('the link is in the clipboard', 5_000, async () => {
        const text = await page.evaluate(() => navigator.clipboard.readText());
        return text.includes('/timeline?at=') ? text : undefined;
      });
      const at = Date.parse(new URL(url).searchParams.get('at') ?? '');
      const other = await browser.open(url);
      const marked = Number(await other.getByTestId('mark-line').first().getAttribute('data-at'));
      expect(marked).toBe(at);
      await other.close();

      const [first] = (await system.facts()).filter((fact) => fact.type === 'note');
      const there = `${system.url}/timeline?at=${first?.at}&window=1&fact=${first?.seq}`;
      const third = await browser.open(there);
      await third
        .locator(`[data-testid="fact-line"][data-seq="${first?.seq}"][aria-current="true"]`)
        .waitFor();
      await third.close();
    });

    it('says what of an address makes no sense, and what it does not know', async () => {
      const bad = await browser.open(`${system.url}/timeline?at=noon&window=7&type=gossip`);
      const said = await bad.getByTestId('address-problem').textContent();
      expect(said).toMatch(/at=noon.*window=7.*type=gossip/);
      await bad.close();
      const early = await browser.open(`${system.url}/timeline?at=${Date.now() - 3 * 3_600_000}&window=5`);
      await early.getByText('Nothing happened in this window.').waitFor();
      await early.getByTestId('ribbon').getByText('unknown').first().waitFor();
      await early.close();
    });

    it('is reached from the console, where the picture was frozen and from a line of the story', async () => {
      const other = await browser.open(system.url);
      await other.keyboard.press('f');
      const frozen = await other.getByTestId('to-live').textContent();
      await other.getByTestId('ribbon').getByRole('link', { name: 'Timeline' }).click();
      await other.waitForURL('**/timeline');
      await other.getByTestId('facts').waitFor();
      expect(await other.getByTestId('to-live').textContent()).toBe(frozen);
      await other.goto(system.url);
      const told = other.getByTestId('story-line').filter({ hasText: 'before anybody looked' });
      const seq = await told.getAttribute('data-seq');
      await told.getByRole('link').click();
      await other.locator(`[data-testid="fact-line"][data-seq="${seq}"][aria-current="true"]`).waitFor();
      await other.getByTestId('mark-line').first().waitFor({ state: 'attached' });
      await other.close();
    });

    it('takes a note', async () => {
      const toLive = page.getByTestId('to-live');
      if ((await toLive.count()) > 0) await toLive.click();
      await page.getByTestId('timeline-note').pressSequentially('noted on the timeline', { delay: 50 });
      await page.keyboard.press('Enter');
      await line('noted on the timeline').waitFor({ timeout: 5_000 });
      const told = (await system.facts()).flatMap((fact) =>
        fact.type === 'note' && fact.data.text === 'noted on the timeline'
          ? [fact.at - (fact.data.begunAt ?? Number.NaN)]
          : [],
      );
      expect(told).toHaveLength(1);
      expect(told[0]).toBeGreaterThanOrEqual(20 * 50);
    });

    it('has nothing to scroll sideways on a phone', async () => {
      await page.setViewportSize({ width: 390, height: 844 });
      await line('noted on the timeline').waitFor();
      const overflowPx = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflowPx).toBeLessThanOrEqual(0);
    });
  });
}
