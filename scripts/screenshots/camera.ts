import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { CHROMIUM_PATH } from '#tests/support/browser.ts';
import { type Shot, THEMES, type Theme, VIEWS } from './shots.ts';

/** Every chart has had its turn, every picture is loaded. */
const SETTLE_MS = 1_200;
const OPEN_MS = 60_000;

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Viewer {
  page: Page;
  /** What is open. */
  path: string | null;
}

/** A browser with one page a theme, both looking at the same; pages that are open already are not opened again. */
export class Camera {
  readonly #browser: Browser;
  readonly #url: string;
  readonly #viewers = new Map<Theme, Viewer>();

  private constructor(browser: Browser, url: string) {
    this.#browser = browser;
    this.#url = url;
  }

  static async start(url: string): Promise<Camera> {
    const browser = await chromium.launch({
      executablePath: CHROMIUM_PATH,
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
    });
    const camera = new Camera(browser, url);
    for (const theme of THEMES) {
      const context = await camera.#context('Ben', theme);
      await context.addInitScript(GATE);
      camera.#viewers.set(theme, { page: await context.newPage(), path: null });
    }
    return camera;
  }

  close(): Promise<void> {
    return this.#browser.close();
  }

  /** The console of the one whose hand is on the switches. */
  async operator(name: string): Promise<Page> {
    const page = await (await this.#context(name, 'dark')).newPage();
    await page.setViewportSize(VIEWS.wide);
    await page.goto(this.#url);
    await untilLive(page);
    return page;
  }

  /** Takes a picture and writes it as a small PNG: a palette is enough for flat colours. */
  async take(shot: Shot, file: string, { full }: { full: boolean }): Promise<void> {
    const viewer = this.#viewers.get(shot.theme);
    if (!viewer) throw new Error(`nobody looks in the ${shot.theme} theme`);
    const { page } = viewer;
    const address = `${shot.path} ${shot.press ?? ''}`;
    await page.setViewportSize(VIEWS[shot.view]);
    if (viewer.path !== address || shot.press !== undefined || shot.path === '/halt') {
      await page.goto(this.#url + shot.path);
      viewer.path = address;
    }
    await page.mouse.move(0, 0);
    const live = shot.path !== '/halt';
    if (live) await untilLive(page);
    if (shot.press !== undefined) await page.getByTestId(shot.press).click();
    if (live) {
      await pause(SETTLE_MS);
      await untilLive(page);
    }
    if (live && shot.state === 'stale') {
      await page.evaluate('window.streamStopped = true');
      await page.locator('[data-testid="live-status"][data-state="stale"]').waitFor({ timeout: OPEN_MS });
    }
    const bytes = await page.screenshot({ fullPage: full });
    await page.evaluate('window.streamStopped = false');
    const png = await sharp(bytes).png({ palette: true, quality: 90, colours: 192, effort: 7 }).toBuffer();
    await writeFile(file, png);
  }

  async #context(name: string, theme: Theme): Promise<BrowserContext> {
    const context = await this.#browser.newContext({ colorScheme: theme, timezoneId: 'UTC' });
    await context.addInitScript(
      `localStorage.setItem('brownout.theme', '${theme}'); localStorage.setItem('brownout.name', '${name}')`,
    );
    return context;
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

async function untilLive(page: Page): Promise<void> {
  await page.locator('[data-testid="live-status"][data-state="live"]').waitFor({ timeout: OPEN_MS });
}

export function fileIn(folder: string, name: string): string {
  return join(folder, `${name}.png`);
}
