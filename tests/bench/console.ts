import type { Page } from 'playwright-core';
import { startCuttableProxy } from '#tests/support/cuttable-proxy.ts';
import type { System } from '#tests/support/system.ts';
import { measureBackground } from './console-background.ts';
import { ConsoleFigures, type ConsoleSize } from './console-figures.ts';
import { openFloor } from './console-floor.ts';
import { writeHistory } from './console-history.ts';
import { measureInput } from './console-input.ts';
import { type ColdLoad, measureColdLoad } from './console-load.ts';
import { measureReconnects, measureRestart, measureStale } from './console-loss.ts';
import { openConsole, startProbedBrowser } from './console-page.ts';
import { heapOf, measureStream } from './console-stream.ts';
import { longestTasks } from './console-trace.ts';
import { openSystem } from './main-system.ts';
import type { BenchReport } from './measure.ts';

const MINUTE_MS = 60_000;
/** What the console shows when it is opened. */
const WINDOW_MS = 5 * MINUTE_MS;
const GAME_MS = 15 * MINUTE_MS;

const FULL: ConsoleSize = {
  loads: 4,
  warmMs: 5000,
  streams: { rounds: 2, consoleMs: 30_000, floorMs: 15_000 },
  traceMs: 15_000,
  inputs: 6,
  stales: 4,
  cutsMs: [700, 1100, 1500, 1900, 2300, 30_000],
  hiddenMs: 20_000,
};
const LONG: ConsoleSize = {
  ...FULL,
  warmMs: 10 * MINUTE_MS,
  streams: { rounds: 6, consoleMs: 10 * MINUTE_MS, floorMs: MINUTE_MS },
  hiddenMs: 10 * MINUTE_MS,
};
const SMOKE: ConsoleSize = {
  loads: 1,
  warmMs: 0,
  streams: { rounds: 1, consoleMs: 500, floorMs: 500 },
  traceMs: 300,
  inputs: 1,
  stales: 1,
  cutsMs: [200],
  hiddenMs: 200,
};

/** The console's budgets in a real browser beside the running system, on the built pages. */
export async function benchConsole(smoke: boolean, long: boolean): Promise<BenchReport> {
  const size = smoke ? SMOKE : long ? LONG : FULL;
  const opened = await openSystem(smoke, { cameraRate: 2 });
  let { system } = opened;
  const figures = new ConsoleFigures(size);
  try {
    if (!smoke) {
      await system.stop();
      await writeHistory(system.dataDir, GAME_MS);
      system = await system.restart();
      await writeFacts(system, 300);
    }
    await inOneBrowser(system, size, figures, { whole: !smoke, long });
    await acrossCuts(system, size, figures);
    figures.back(await measureBackground(system.url, size.hiddenMs));
  } finally {
    await (smoke ? opened : system).close();
  }
  return figures.report();
}

async function writeFacts(system: System, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await system.api('POST', '/notes', { text: `moment ${n}` });
}

async function inOneBrowser(
  system: System,
  size: ConsoleSize,
  figures: ConsoleFigures,
  { whole, long }: { whole: boolean; long: boolean },
): Promise<void> {
  const browser = await startProbedBrowser();
  try {
    const loads: ColdLoad[] = [];
    for (let load = 0; load < size.loads; load++)
      loads.push(await measureColdLoad(browser, system.url, { phone: false, whole }));
    figures.loads(loads, await measureColdLoad(browser, system.url, { phone: true, whole: false }));

    const { rounds, consoleMs, floorMs } = size.streams;
    const watched = await openConsole(browser, system.url);
    await watched.page.waitForTimeout(size.warmMs);
    const heapBefore = await heapOf(watched);
    for (let round = 0; round < rounds; round++) {
      await watched.page.bringToFront();
      figures.stream('console', await measureStream(watched, consoleMs));
      if (!long) await watched.page.goto('about:blank'); // its work is not to be beside that of the floor
      const floor = await openFloor(browser, system.url, WINDOW_MS);
      await floor.page.waitForTimeout(Math.min(size.warmMs, 3000));
      figures.stream('bare uPlot', await measureStream(floor, floorMs));
      await floor.close();
      if (!long) await browserBack(watched.page, system.url, size.warmMs);
    }
    if (long) figures.heap((await heapOf(watched)) - heapBefore);
    figures.trace(await longestTasks(watched, size.traceMs));
    figures.inputs(await measureInput(watched, size.inputs));
    figures.stale(await measureStale(system, watched, size.stales));
  } finally {
    await browser.close();
  }
}

async function browserBack(page: Page, url: string, warmMs: number): Promise<void> {
  await page.goto(url);
  await page.locator('[data-testid="live-status"][data-state="live"]').waitFor({ timeout: 40_000 });
  await page.waitForTimeout(warmMs);
}

async function acrossCuts(system: System, size: ConsoleSize, figures: ConsoleFigures): Promise<void> {
  const proxy = await startCuttableProxy();
  const browser = await startProbedBrowser({ proxyUrl: proxy.url });
  try {
    const page = await openConsole(browser, system.url);
    figures.reconnects(await measureReconnects(system, { page, proxy }, size.cutsMs));
    if (size.cutsMs.length > 1) figures.restart(await measureRestart(system, page));
  } finally {
    await browser.close();
    await proxy.close();
  }
}
