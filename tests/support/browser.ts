import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';

/** The Chromium that is started. */
export const CHROMIUM_PATH = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';

export interface TestBrowser {
  context: BrowserContext;
  /** Its folder; each browser has a new one. */
  profile: string;
  open(url: string): Promise<Page>;
  close(): Promise<void>;
}

/** A real Chromium with a fresh profile. */
export async function startBrowser({
  viewport = { width: 1440, height: 900 },
  proxyUrl,
}: {
  viewport?: { width: number; height: number };
  proxyUrl?: string;
} = {}): Promise<TestBrowser> {
  const profile = await mkdtemp(join(tmpdir(), 'brownout-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM_PATH,
    headless: true,
    viewport,
    ...(proxyUrl ? { proxy: { server: proxyUrl, bypass: '<-loopback>' } } : {}),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  return {
    context,
    profile,
    async open(url) {
      const page = await context.newPage();
      await page.goto(url);
      await page.locator('[data-testid="live-status"][data-state="live"]').waitFor({ timeout: 40_000 });
      return page;
    },
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
