import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DlqPage } from '#lib/protocol/dead-letters.ts';
import { axeViolations } from '#tests/support/axe.ts';
import { startBrowser, type TestBrowser } from '#tests/support/browser.ts';
import { faultSwitch } from '#tests/support/console-page.ts';
import { contrastOf, greyParts, unlikeness } from '#tests/support/greyscale.ts';
import { byPalette, tabTo } from '#tests/support/keyboard.ts';
import { motions } from '#tests/support/motion.ts';
import { seenText } from '#tests/support/seen.ts';
import { STATUSES, showStatusSheet } from '#tests/support/status-sheet.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { treeText } from '#tests/support/tree-text.ts';
import { until } from '#tests/support/until.ts';

let system: System;
let browser: TestBrowser;
let page: Page;

beforeAll(async () => {
  [system, browser] = await Promise.all([startSystem({ env: { PROFILE: 'test' } }), startBrowser()]);
  const refused = await system.startFault('yolo26', 'server_error', { params: { status: 422 } });
  await until('there are dead letters', 60_000, async () => (await letters()).length >= 2);
  await system.stopFault(refused.id);
  page = await browser.open(system.url);
});
afterAll(async () => {
  await browser?.close();
  await system?.close();
});

const letters = async () => (await system.api<DlqPage>('GET', '/dlq')).body.items;

/** Halted or not, as the tests before left it: nothing is on, nothing is refused. */
async function untilClean(): Promise<void> {
  for (const { id } of (await system.state()).faults) await system.stopFault(id);
  if ((await system.state()).halted) await system.api('POST', '/resume', { reason: 'next' });
  await until('it is well', 60_000, async () => (await system.state()).mode === 'NORMAL');
}

/** Every part of the main screen has been fetched. */
async function untilWhole(): Promise<void> {
  for (const part of ['desk-group-redis', 'chart-age', 'story', 'viewer-events'])
    await page.getByTestId(part).waitFor();
}

/** Three faults, the mode with its causes, a breaker that is open. */
async function breakThree(): Promise<void> {
  const ttlMs = 600_000; // the tests after this one look at them too
  await system.startFault('nemotron', 'timeout', { ttlMs });
  await system.startFault('redis', 'connection_error', { ttlMs });
  await system.startFault('gpu', 'thermal_throttle', { ttlMs });
  await until('a breaker is open', 30_000, async () =>
    (await system.state()).pipeline?.breakers.some(({ state }) => state === 'OPEN'),
  );
}

describe('the console for everybody', () => {
  it('breaks, looks, extends, halts, resumes and re-drives a dead letter by the keyboard alone', async () => {
    await untilClean();
    const { seq } = await system.state();
    await byPalette(page, 'nemotron: timeout');
    const fault = await until('the fault is on', 5_000, async () => (await system.state()).faults[0]);
    expect(fault).toMatchObject({ service: 'nemotron', type: 'timeout' });
    await page.locator('[data-testid="mode"]:not([data-mode="NORMAL"])').waitFor({ timeout: 30_000 });
    await tabTo(page, 'xray-open-nemotron');
    await page.keyboard.press('Enter');
    await page.getByTestId('xray').waitFor();
    await page.keyboard.press('Escape');
    await page.getByTestId('xray').waitFor({ state: 'detached' });

    await page.keyboard.press('.');
    await until('the fault is extended', 5_000, async () =>
      (await system.facts(seq)).some(
        (fact) => fact.type === 'faultChanged' && fact.data.change === 'extended',
      ),
    );
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    // The latch comes first, and the injectors' acknowledgements up to half a second after it.
    await until('everything is halted', 5_000, async () => {
      const { halted, faults } = await system.state();
      return halted !== null && faults.length === 0;
    });
    await tabTo(page, 'resume-reason');
    await page.keyboard.type('seen by everybody');
    await page.keyboard.press('Enter');
    await until('it is resumed', 5_000, async () => (await system.state()).halted === null);

    await byPalette(page, 'dead letters');
    await page.waitForURL('**/dlq');
    await page.locator('[data-testid="dlq-redrive"]:enabled').first().waitFor({ timeout: 20_000 });
    const before = (await letters()).map(({ id }) => id);
    await tabTo(page, 'dlq-redrive');
    await page.keyboard.press('Enter');
    await until('one letter has left', 20_000, async () => {
      const after = (await letters()).map(({ id }) => id);
      return before.filter((id) => !after.includes(id)).length === 1;
    });
  });

  it('tells mode, fault, halt and loss in the words of the accessibility tree', async () => {
    await untilClean();
    await page.goto(system.url);
    const { owner } = await system.startFault('nemotron', 'timeout');
    const banner = page.getByRole('region', { name: 'Mode and ledger' });
    await until('the mode is told with its cause, and the loss', 30_000, async () => {
      const { mode, pipeline } = await system.state();
      const text = await treeText(banner);
      const told = [
        new RegExp(`^Mode and ledger ${mode} \\d+:\\d\\d `),
        /because .*nemotron.* INJECTED/,
        new RegExp(`\\b${pipeline?.ledger.lost} lost`),
      ];
      const missing = told.filter((words) => !words.test(text));
      if (missing.length > 0) throw new Error(`no ${missing.join(', ')} in “${text}”`);
      return true;
    });
    const faults = await treeText(page.getByRole('region', { name: 'Active faults' }));
    expect(faults).toMatch(/^Active faults Active faults 1 .*nemotron · timeout/);
    expect(faults).toContain(owner.name);
    expect(faults).toContain('Stop nemotron timeout');
    const answers = await treeText(page.getByRole('region', { name: 'At a glance' }));
    expect(answers).toMatch(/Broken by us 1 fault nemotron timeout · REST · \d:\d\d left Not ours/);

    await page.getByRole('button', { name: 'HALT ALL' }).press('Enter');
    const halted = page.getByRole('alert').filter({ hasText: 'Halted by' });
    await halted.waitFor();
    const by = (await system.state()).halted?.by;
    expect(await treeText(halted)).toMatch(
      new RegExp(
        `^Halted by ${by} at \\d\\d:\\d\\d:\\d\\d.* 1 fault ended in \\d+ ms · nemotron timeout \\d+ ms`,
      ),
    );
  });

  it('shows every status by shape and word, readable without colours, in both themes', async () => {
    for (const theme of ['dark', 'light'] as const) {
      const { chips, inks, marks } = await showStatusSheet(page, theme);
      for (const [index, part] of (await greyParts(page, [...chips, ...inks])).entries())
        expect(contrastOf(part), `${STATUSES[index % STATUSES.length]} in ${theme}`).toBeGreaterThan(4.5);
      const shapes = await greyParts(page, marks);
      for (const [one, shape] of shapes.entries()) {
        for (const [other, another] of shapes.slice(0, one).entries())
          expect(unlikeness(shape, another), `${STATUSES[one]} and ${STATUSES[other]}`).toBeGreaterThan(0.2);
      }
    }
  });

  it('has its answers readable in a picture without colours', async () => {
    await untilClean();
    await page.goto(system.url);
    await breakThree();
    const open = (await system.state()).pipeline?.breakers.find(({ state }) => state === 'OPEN')?.name;
    const words: Record<string, RegExp> = {
      'live-status': /LIVE/,
      mode: /DEGRADED|MINIMAL|OFFLINE/,
      [`breaker-${open}`]: /OPEN/,
      'answer-broken': /3 faults/,
      'answer-recovery': /NOT YET|ON TRIAL|RECOVERING/,
      ledger: /lost|loss UNKNOWN/i,
      'halt-button': /HALT ALL/,
    };
    const places = Object.keys(words).map((testId) => page.getByTestId(testId));
    for (const [index, [testId, pattern]] of Object.entries(words).entries()) {
      await until(`${testId} is seen`, 15_000, async () =>
        pattern.test(await seenText(places[index] as never)),
      );
    }
    for (const [index, part] of (await greyParts(page, places, 4)).entries())
      expect(contrastOf(part), Object.keys(words)[index]).toBeGreaterThan(4.5);
  });

  it('moves nothing for who asks for no motion', async () => {
    await untilClean();
    await page.goto(system.url);
    await page.getByTestId('halt-button').click();
    await page.locator('[data-sonner-toast]').first().waitFor();
    expect(await motions(page), 'there is motion to leave out').not.toEqual([]);
    await untilClean();
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await (await faultSwitch(page, 'redis', 'latency')).click();
    expect(await motions(page)).toEqual([]);
    await page.getByTestId('active-fault-redis-latency').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    expect(await motions(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByTestId('halt-button').click();
    await page.locator('[data-sonner-toast]').first().waitFor();
    expect(await motions(page)).toEqual([]);
    await page.emulateMedia({ reducedMotion: null });
  });

  it.each(['/', '/dlq', '/gpu', '/services/redis', '/timeline', '/wall', '/halt'])(
    'has no violation that axe knows of on %s, in the dark and in the light',
    async (path) => {
      if ((await system.state()).faults.length < 3) {
        await untilClean();
        await breakThree();
      }
      for (const theme of ['dark', 'light'] as const) {
        await page.emulateMedia({ colorScheme: theme });
        await page.evaluate((name) => localStorage.setItem('brownout.theme', name), theme);
        await page.goto(`${system.url}${path}`);
        if (path !== '/halt') {
          await page.locator('[data-testid="live-status"][data-state="live"]').waitFor({ timeout: 20_000 });
          await page.locator('[data-testid="mode"]:not([data-mode="UNKNOWN"])').waitFor();
        }
        if (path === '/') await untilWhole();
        expect(await page.evaluate(() => getComputedStyle(document.body).colorScheme)).toBe(theme);
        expect(await axeViolations(page), theme).toEqual([]);
      }
    },
  );

  it.each(['/', '/wall'])('has none on %s either while nothing is heard', async (path) => {
    const pid = await system.pid('control');
    for (const theme of ['dark', 'light'] as const) {
      await page.evaluate((name) => localStorage.setItem('brownout.theme', name), theme);
      await page.goto(`${system.url}${path}`);
      const live = page.getByTestId('live-status');
      await page.locator('[data-testid="mode"]:not([data-mode="UNKNOWN"])').waitFor({ timeout: 20_000 });
      if (path === '/') await untilWhole();
      process.kill(pid, 'SIGSTOP');
      try {
        await until('it is stale', 10_000, async () => (await live.getAttribute('data-state')) !== 'live');
        await page.locator('[data-testid="mode"].stale').waitFor();
        expect(await axeViolations(page), theme).toEqual([]);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await until('it is live again', 20_000, async () => (await live.getAttribute('data-state')) === 'live');
    }
  });
});
