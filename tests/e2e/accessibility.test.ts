import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { axeViolations } from '#tests/support/axe.ts';
import { startBrowser, type TestBrowser } from '#tests/support/browser.ts';
import { untilAttribute } from '#tests/support/console-page.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';

let system: System;
let browser: TestBrowser;
let page: Page;

beforeAll(async () => {
  system = await startSystem();
  browser = await startBrowser();
  page = await browser.open(system.url);
});
afterAll(async () => {
  await browser?.close();
  await system?.close();
});

/** Presses Tab until the element with this test id has the focus. */
async function tabTo(testId: string): Promise<void> {
  for (let presses = 0; presses < 200; presses++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => document.activeElement?.getAttribute('data-testid'));
    if (focused === testId) return;
  }
  throw new Error(`${testId} cannot be reached by Tab`);
}

const violations = () => axeViolations(page);

describe('the console for everybody', () => {
  it('has no violation that axe knows of, degraded in the dark, halted in the light', async () => {
    await page.getByTestId('viewer-events').getByRole('img').first().waitFor({ timeout: 30_000 });
    await system.startFault('nemotron', 'timeout');
    await untilAttribute(page, 'mode', 'data-mode', 'DEGRADED');
    expect(await violations()).toEqual([]);
    await page.getByRole('button', { name: 'Light theme' }).click();
    await system.halt();
    await page.getByTestId('halted-banner').waitFor();
    expect(await violations()).toEqual([]);
    await system.api('POST', '/resume', { reason: 'seen' });
  });

  it('breaks, opens a breaker, notes and halts by the keyboard alone', async () => {
    await page.keyboard.press('Control+k');
    await page.getByPlaceholder('Break, stop, find…').waitFor();
    await page.keyboard.type('redis: latency');
    await page.keyboard.press('Enter');
    await page.getByTestId('active-fault-redis-latency').waitFor();

    await tabTo('stop-fault');
    await page.keyboard.press('Enter');
    await until('the fault is ended', 5000, async () => (await system.state()).faults.length === 0);

    await page.keyboard.press('a');
    await page.getByTestId('note-text').waitFor();
    await page.keyboard.type('a seen by everybody');
    await page.keyboard.press('Enter');
    await until('the note is told', 5000, async () =>
      (await system.facts()).some((fact) => fact.type === 'note' && fact.data.text === 'a seen by everybody'),
    );

    await tabTo('xray-open-nemotron');
    await page.keyboard.press('Enter');
    await page.getByTestId('xray').waitFor();
    expect(await violations()).toEqual([]);
    await tabTo('xray-open');
    await page.keyboard.press('Enter');
    const breaker = async () =>
      (await system.state()).pipeline?.breakers.find((each) => each.name === 'nemotron')?.state;
    await until('the breaker is held open', 5000, async () => (await breaker()) === 'FORCED_OPEN');
    await tabTo('xray-reset');
    await page.keyboard.press('Enter');
    await until('the breaker is closed', 5000, async () => (await breaker()) === 'CLOSED');

    await page.keyboard.press('Escape');
    await page.getByTestId('xray').waitFor({ state: 'detached' });
    expect((await system.state()).halted).toBeNull();
    await system.startFault('redis', 'latency');
    await page.keyboard.press('Control+Shift+X');
    await page.getByTestId('halted-banner').waitFor();
    const { halted, faults } = await system.state();
    expect(halted).not.toBeNull();
    expect(faults).toEqual([]);
  });
});
