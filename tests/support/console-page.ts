import type { Locator, Page } from 'playwright-core';

/** The switch of a fault on the desk, with its group opened. */
export async function faultSwitch(page: Page, service: string, type: string): Promise<Locator> {
  const group = page.getByTestId(`desk-group-${service}`);
  if ((await group.getAttribute('data-open')) === 'false') await group.click();
  return page.getByTestId(`fault-switch-${service}-${type}`);
}

/** Clicks a fault on and waits until the page shows it as observed. */
export async function switchOn(page: Page, service: string, type: string): Promise<void> {
  const button = await faultSwitch(page, service, type);
  await button.click();
  await untilChecked(button, true);
  await page.getByTestId(`active-fault-${service}-${type}`).waitFor({ timeout: 15_000 });
}

/** Clicks it off and waits until the page shows it gone. */
export async function switchOff(page: Page, service: string, type: string): Promise<void> {
  const button = await faultSwitch(page, service, type);
  await button.click();
  await untilChecked(button, false);
}

async function untilChecked(button: Locator, checked: boolean): Promise<void> {
  await button.and(button.page().locator(`[aria-checked="${checked}"]`)).waitFor({ timeout: 10_000 });
}

/** Waits until an element with this test id carries the attribute's value. */
export async function untilAttribute(
  page: Page,
  testId: string,
  attribute: string,
  value: string,
  timeout = 15_000,
): Promise<void> {
  await page.locator(`[data-testid="${testId}"][${attribute}="${value}"]`).first().waitFor({ timeout });
}

/** The number that `pattern`'s one group finds in the text of an element on the page; undefined while there is none. */
export async function numberOn(page: Page, testId: string, pattern: RegExp): Promise<number | undefined> {
  const text = (await page.getByTestId(testId).first().textContent()) ?? '';
  const found = pattern.exec(text.replaceAll('\u202f', ''))?.[1];
  return found === undefined ? undefined : Number(found);
}
