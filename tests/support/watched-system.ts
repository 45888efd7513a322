import type { Page } from 'playwright-core';
import { startBrowser, type TestBrowser } from './browser.ts';
import { type System, type SystemOptions, startSystem } from './system.ts';
import { until } from './until.ts';

/** A system at work, its first event stored, and its console open in a real browser. */
export interface WatchedSystem {
  system: System;
  browser: TestBrowser;
  page: Page;
  close(): Promise<void>;
}

export async function startWatchedSystem(options: SystemOptions = { cameraRate: 3 }): Promise<WatchedSystem> {
  const [system, browser] = await Promise.all([startSystem(options), startBrowser()]);
  const close = async () => {
    await browser.close();
    await system.close();
  };
  try {
    const page = await browser.open(system.url);
    await until(
      'the first event is stored',
      40_000,
      async () => (await system.sql('select 1 from events limit 1')).length > 0,
    );
    return { system, browser, page, close };
  } catch (error) {
    await close();
    throw error;
  }
}
