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
  /** Whether telemetry and facts reach the page. */
  streaming: { on: boolean };
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
      const streaming = await gate(context);
      camera.#viewers.set(theme, { page: await context.newPage(), path: null, streaming });
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
      viewer.streaming.on = false;
      await page.locator('[data-testid="live-status"][data-state="stale"]').waitFor({ timeout: OPEN_MS });
    }
    const bytes = await page.screenshot({ fullPage: full });
    viewer.streaming.on = true;
    const png = await sharp(bytes).png({ palette: true, quality: 90, colours: 128, effort: 9 }).toBuffer();
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

/** The stream can be stopped with the link still up: pings pass, events do not. */
async function gate(context: BrowserContext): Promise<{ on: boolean }> {
  const streaming = { on: true };
  await context.routeWebSocket(/socket\.io/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => server.send(message));
    server.onMessage((message) => {
      if (streaming.on || (typeof message === 'string' && !message.startsWith('4'))) socket.send(message);
    });
  });
  return streaming;
}

async function untilLive(page: Page): Promise<void> {
  await page.locator('[data-testid="live-status"][data-state="live"]').waitFor({ timeout: OPEN_MS });
}

export function fileIn(folder: string, name: string): string {
  return join(folder, `${name}.png`);
}
