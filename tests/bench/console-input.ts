import type { Page } from 'playwright-core';
import { faultSwitch } from '#tests/support/console-page.ts';
import type { ProbedPage } from './console-page.ts';

/** Between two acts of the operator, so that the first has been painted, ms. */
const PAUSE_MS = 150;
/** The browser tells nothing of interactions below this: they count as this, ms. */
const LEAST_TOLD_MS = 16;

/** One round of what an operator does; each act is one interaction, but for the letters typed into the palette. */
const ACTS: readonly ((page: Page) => Promise<void>)[] = [
  (page) => page.getByTestId('desk-group-database').click(),
  (page) => page.keyboard.press('f'),
  (page) => page.getByTestId('window-1').click(),
  (page) => page.keyboard.press('f'),
  (page) => page.getByTestId('window-15').click(),
  (page) =>
    page
      .getByTestId('xray-open-redis')
      .click()
      .then(() => untilDialog(page, true)),
  (page) => page.keyboard.press('Escape').then(() => untilDialog(page, false)),
  async (page) => (await faultSwitch(page, 'nemotron', 'latency')).click(),
  (page) => page.getByTestId('window-5').click(),
  (page) => page.keyboard.press('Control+k').then(() => untilDialog(page, true)),
  (page) => page.keyboard.press('h'),
  (page) => page.keyboard.press('Control+k').then(() => untilDialog(page, false)),
  async (page) => (await faultSwitch(page, 'nemotron', 'latency')).click(),
  (page) => page.getByTestId('desk-group-database').click(),
];

/** What opens over the page, or closes, has done so: it lies over what is pressed next. */
function untilDialog(page: Page, open: boolean): Promise<void> {
  return page
    .getByRole('dialog')
    .first()
    .waitFor({ state: open ? 'visible' : 'detached' });
}

/** From each interaction to the next paint while the console streams, ms; at least 16, what the browser tells. */
export async function measureInput(probed: ProbedPage, rounds: number): Promise<number[]> {
  const { page } = probed;
  await faultSwitch(page, 'nemotron', 'latency'); // opens its group
  await probed.take();
  for (let round = 0; round < rounds; round++) {
    for (const act of ACTS) {
      await act(page);
      await page.waitForTimeout(PAUSE_MS);
    }
  }
  const longest = new Map<number, number>();
  for (const each of await probed.take())
    if (each.kind === 'interaction')
      longest.set(each.id, Math.max(longest.get(each.id) ?? 0, each.durationMs));
  const told = [...longest.values()];
  const untold = Math.max(0, rounds * ACTS.length - told.length);
  return [...told, ...new Array<number>(untold).fill(LEAST_TOLD_MS)];
}
