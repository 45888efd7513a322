import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { startBrowser } from '#tests/support/browser.ts';
import { ROOT, type System, startSystem } from '#tests/support/system.ts';

/*
 * Takes the pictures of docs/screenshots on a system of its own: `node scripts/take-screenshots.ts [NAME…]`; without
 * names, all.
 * Needs a built console. The frames are those of ../shared when they are there, else the tests' dozen.
 */

const OUT = join(ROOT, 'docs', 'screenshots');
const FRAMES = join(ROOT, '..', 'shared', 'data', 'camera-frames');
const WANTED = process.argv.slice(2);
/** Charts with something in them. */
const FILL_MS = 75_000;
const VIEWS = {
  wide: { width: 1440, height: 900 },
  room: { width: 1920, height: 1080 },
  phone: { width: 390, height: 844 },
} as const;

type Theme = 'dark' | 'light';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A page whose charts have filled, in a window and theme. */
async function look(
  system: System,
  view: keyof typeof VIEWS,
  theme: Theme,
  use: (page: Page) => Promise<void>,
): Promise<void> {
  const browser = await startBrowser({ viewport: VIEWS[view] });
  try {
    await browser.context.addInitScript(
      `localStorage.setItem('brownout.theme', '${theme}'); localStorage.setItem('brownout.name', 'Ana')`,
    );
    const page = await browser.context.newPage();
    await page.goto(system.url);
    await page.locator('[data-testid="live-status"][data-state="live"]').waitFor({ timeout: 60_000 });
    await use(page);
  } finally {
    await browser.close();
  }
}

/** Writes the page as a small PNG: a palette is enough for flat colours. */
async function shoot(page: Page, name: string): Promise<void> {
  if (WANTED.length > 0 && !WANTED.includes(name)) return;
  await pause(2_500); // every chart has had its turn, every picture is loaded
  const bytes = await page.screenshot();
  await sharp(bytes)
    .png({ palette: true, quality: 95, effort: 8 })
    .toFile(join(OUT, `${name}.png`));
  process.stdout.write(`${name}.png\n`);
}

await mkdir(OUT, { recursive: true });
const system = await startSystem({ env: existsSync(FRAMES) ? { CAMERA_FRAMES_DIR: FRAMES } : {} });
try {
  await system.untilSteady();
  await pause(FILL_MS);
  await look(system, 'wide', 'light', (page) => shoot(page, 'normal-light'));
  await look(system, 'wide', 'dark', async (page) => {
    await shoot(page, 'normal');
    await page.getByTestId('desk-group-nemotron').click();
    await page.getByTestId('fault-switch-nemotron-timeout').click();
    await page.getByTestId('active-fault-nemotron-timeout').waitFor();
    await page.getByTestId('desk-group-nemotron').click();
    await page.mouse.move(0, 0);
    await page.locator('[data-testid="breaker-nemotron"][data-state="OPEN"]').waitFor({ timeout: 30_000 });
    await pause(14_000);
    await page.locator('[data-testid="breaker-nemotron"][data-state="OPEN"]').waitFor({ timeout: 30_000 });
    await shoot(page, 'console');
    await page.getByTestId('xray-open-nemotron').click();
    await shoot(page, 'breaker');
  });
  await system.startFault('redis', 'connection_error');
  await system.startFault('gpu', 'thermal_throttle');
  await pause(12_000);
  await look(system, 'room', 'dark', (page) => shoot(page, 'three-faults-1920'));
  await look(system, 'wide', 'light', (page) => shoot(page, 'three-faults-light'));
  await look(system, 'phone', 'dark', (page) => shoot(page, 'phone'));
  await system.halt('enough seen');
  await look(system, 'wide', 'dark', (page) => shoot(page, 'halted'));
} finally {
  await system.close();
}
