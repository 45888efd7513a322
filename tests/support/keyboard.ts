import type { Page } from 'playwright-core';

/** Presses Tab until the element with this test id has the focus, and requires that it is seen to have it. */
export async function tabTo(page: Page, testId: string): Promise<void> {
  for (let presses = 0; presses < 250; presses++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const marked = outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2;
      return { testId: element.getAttribute('data-testid'), marked };
    });
    if (focused?.testId !== testId) continue;
    if (!focused.marked) throw new Error(`${testId} has the focus and does not show it`);
    return;
  }
  throw new Error(`${testId} cannot be reached by Tab`);
}

/** Opens the palette, types, and takes what it finds first once that is what was meant. */
export async function byPalette(page: Page, words: string): Promise<void> {
  await page.keyboard.press('Control+k');
  await page.getByPlaceholder('Break, stop, find…').waitFor();
  await page.keyboard.type(words);
  await page.getByRole('option', { name: words, selected: true }).waitFor();
  await page.keyboard.press('Enter');
}
