import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { CDPSession, Page } from 'playwright-core';
import { startBrowser, type TestBrowser } from '#tests/support/browser.ts';
import { installProbe, type Probe, type Seen } from './console-probe.ts';

/** A page with the probe in it. */
export interface ProbedPage {
  page: Page;
  cdp: CDPSession;
  take(): Promise<Seen[]>;
  close(): Promise<void>;
}

type ProbedWindow = typeof window & { probe: Probe };

/** A browser in each of whose pages the probe runs. */
export async function startProbedBrowser(
  options: Parameters<typeof startBrowser>[0] = {},
): Promise<TestBrowser> {
  const browser = await startBrowser(options);
  await browser.context.addInitScript(installProbe);
  return browser;
}

/** The main process of a browser, by the lock of its profile. */
export async function browserPid({ profile }: TestBrowser): Promise<number> {
  return Number((await readlink(join(profile, 'SingletonLock'))).split('-').at(-1));
}

/** Opens the console and waits until it is live. */
export async function openConsole(browser: TestBrowser, url: string): Promise<ProbedPage> {
  return probed(await browser.open(url), browser);
}

export async function probed(page: Page, browser: TestBrowser): Promise<ProbedPage> {
  const cdp = await browser.context.newCDPSession(page);
  await cdp.send('Performance.enable');
  return {
    page,
    cdp,
    take: () => page.evaluate(() => (window as ProbedWindow).probe.take()),
    close: () => page.close(),
  };
}

export async function beginFrames({ page }: ProbedPage): Promise<void> {
  await page.evaluate(() => (window as ProbedWindow).probe.beginFrames());
}

/** Time between each two frames since they were begun, ms. */
export function endFrames({ page }: ProbedPage): Promise<number[]> {
  return page.evaluate(() => (window as ProbedWindow).probe.endFrames());
}

/** Figures of the browser about the page, by name: seconds of main thread by kind, bytes of heap, counts. */
export async function metricsOf({ cdp }: ProbedPage): Promise<ReadonlyMap<string, number>> {
  const { metrics } = await cdp.send('Performance.getMetrics');
  return new Map(metrics.map(({ name, value }) => [name, value]));
}
