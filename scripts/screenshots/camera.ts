import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { CHROMIUM_PATH } from '#tests/support/browser.ts';
import { type Shot, type Theme, VIEWS } from './shots.ts';

/** Every chart has had its turn, every picture is loaded. */
const SETTLE_MS = 1_200;
const OPEN_MS = 60_000;
const TRIES = 5;

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A browser with one page that looks; what is open already is not opened again. */
export class Camera {
  readonly #browser: Browser;
  readonly #page: Page;
  readonly #url: string;
  /** What is open, and in which theme. */
  #open = '';
  #theme: Theme = 'dark';

  private constructor(browser: Browser, page: Page, url: string) {
    this.#browser = browser;
    this.#page = page;
    this.#url = url;
  }

  static async start(url: string): Promise<Camera> {
    const browser = await chromium.launch({
      executablePath: CHROMIUM_PATH,
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
    });
    const context = await browser.newContext({ colorScheme: 'dark', timezoneId: 'UTC' });
    await context.addInitScript("localStorage.setItem('brownout.name', 'Ben')");
    await context.addInitScript(GATE);
    return new Camera(browser, await context.newPage(), url);
  }

  close(): Promise<void> {
    return this.#browser.close();
  }

  /** The console of the one whose hand is on the switches. */
  async operator(name: string): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: VIEWS.wide });
    await context.addInitScript(`localStorage.setItem('brownout.name', '${name}')`);
    const page = await context.newPage();
    await page.goto(this.#url);
    await untilLive(page);
    return page;
  }

  /** Takes a picture and writes it as a small PNG: a palette is enough for flat colours. */
  async take(shot: Shot, file: string, { full }: { full: boolean }): Promise<void> {
    const { path, press, state, theme, view } = shot;
    const page = this.#page;
    const live = path !== '/halt';
    await page.setViewportSize(VIEWS[view]);
    await page.emulateMedia({ colorScheme: theme });
    const address = `${path} ${press ?? ''}`;
    if (this.#open !== address || press !== undefined || !live) {
      if (this.#open !== '') await page.evaluate(`localStorage.setItem('brownout.theme', '${theme}')`);
      await page.goto(this.#url + path);
      this.#open = address;
    } else if (this.#theme !== theme) await this.#turnTo(theme);
    this.#theme = theme;
    await page.mouse.move(0, 0);
    if (live) await untilLive(page);
    if (press !== undefined) await page.getByTestId(press).click();
    const bytes = live
      ? await shoot(page, state === 'stale' ? 'stale' : 'live', full)
      : await page.screenshot({ fullPage: full });
    const png = await sharp(bytes).png({ palette: true, quality: 80, dither: 0, effort: 7 }).toBuffer();
    await writeFile(file, png);
  }

  /** By the page's own switch where it has one: the wall has nothing to press. */
  async #turnTo(theme: Theme): Promise<void> {
    const button = this.#page.getByRole('button', { name: / theme$/ });
    if ((await button.count()) > 0) await button.click();
    else await this.#page.evaluate(`document.documentElement.dataset.theme = '${theme}'`);
  }
}

/** In the page: the stream can be stopped with the link still up. Pings pass, events do not. */
const GATE = `
  window.WebSocket = class extends WebSocket {
    constructor(...how) {
      super(...how);
      this.addEventListener('message', (event) => {
        const isEvent = typeof event.data !== 'string' || event.data.startsWith('4');
        if (window.streamStopped && isEvent) event.stopImmediatePropagation();
      });
    }
  };`;

/** A picture in which the page says of itself what it should; on a busy machine another word can come between. */
async function shoot(page: Page, state: 'live' | 'stale', fullPage: boolean): Promise<Buffer> {
  const said = page.locator(`[data-testid="live-status"][data-state="${state}"]`);
  for (let left = TRIES; left > 0; left--) {
    await untilLive(page);
    await pause(SETTLE_MS);
    if (state === 'stale') await page.evaluate('window.streamStopped = true');
    await said.waitFor({ timeout: OPEN_MS });
    const bytes = await page.screenshot({ fullPage });
    const still = await said.isVisible();
    await page.evaluate('window.streamStopped = false');
    if (still) return bytes;
  }
  throw new Error(`the page did not stay ${state}: ${page.url()}`);
}

async function untilLive(page: Page): Promise<void> {
  await page.locator('[data-testid="live-status"][data-state="live"]').waitFor({ timeout: OPEN_MS });
}

export function fileIn(folder: string, name: string): string {
  return join(folder, `${name}.png`);
}
