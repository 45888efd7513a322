import type { TestBrowser } from '#tests/support/browser.ts';
import { type ProbedPage, probed } from './console-page.ts';

/** One cold load of the console. Bytes as transferred. */
export interface ColdLoad {
  /** Until it was live, and from then on until it was at rest or drawn. */
  scriptBytes: number;
  laterScriptBytes: number;
  styleBytes: number;
  largestPaintMs: number;
  shiftScore: number;
  /** From the start of the navigation, ms: until the answers with the history had come, and until it was drawn. */
  historyMs: number;
  drawnMs: number;
}

/** After this a page that is live has fetched what it did not need at first, ms. */
const REST_MS = 5000;
/** How far from the left edge a line may begin and still be of the whole window: what was not recorded in a restart. */
const LEFT_PIXELS = 60;
/** Where the eight charts are, each with a line from its left edge. */
function isDrawn({ leftPixels, whole }: { leftPixels: number; whole: boolean }): number | false {
  const charts = [...document.querySelectorAll('figure[data-testid^="chart-"]')];
  const drawn = charts.filter((chart) =>
    [...chart.querySelectorAll('path[data-series]')].some((path) => {
      const from = Number.parseFloat((path.getAttribute('d') ?? '').slice(1));
      return whole ? from <= leftPixels : from >= 0;
    }),
  );
  return charts.length >= 8 && drawn.length >= (whole ? charts.length : 1) && performance.now();
}

/**
 * Opens the console as one who has never been here. A phone loads the shell until it is live, and what it does not show
 * first within the next seconds.
 * @param whole whether there is history to draw from the left edge on
 */
export async function measureColdLoad(
  browser: TestBrowser,
  url: string,
  { phone, whole }: { phone: boolean; whole: boolean },
): Promise<ColdLoad> {
  const page = await browser.context.newPage();
  try {
    if (phone) await page.setViewportSize({ width: 390, height: 844 });
    const probedPage = await probed(page, browser);
    const transferred = await countTransfers(probedPage);
    await page.goto(url);
    await page.locator('[data-testid="live-status"][data-state="live"]').waitFor({ timeout: 40_000 });
    const scriptBytes = transferred('Script');
    if (phone) await page.waitForTimeout(REST_MS);
    let drawnMs = Number.NaN;
    if (!phone) {
      const drawn = await page.waitForFunction(
        isDrawn,
        { leftPixels: LEFT_PIXELS, whole },
        { polling: 'raf', timeout: 30_000 },
      );
      drawnMs = Number(await drawn.jsonValue());
    }
    const historyMs = await page.evaluate(() =>
      Math.max(
        0,
        ...(performance.getEntriesByType('resource') as PerformanceResourceTiming[])
          .filter(({ name }) => name.includes('/api/v1/series') || name.includes('/api/v1/timeline/window'))
          .map(({ responseEnd }) => responseEnd),
      ),
    );
    const seen = await probedPage.take();
    const shifts = seen.flatMap((each) => (each.kind === 'shift' ? [each.score] : []));
    const paints = seen.flatMap((each) => (each.kind === 'largestPaint' ? [each.afterMs] : []));
    return {
      scriptBytes,
      laterScriptBytes: transferred('Script') - scriptBytes,
      styleBytes: transferred('Stylesheet'),
      largestPaintMs: Math.max(0, ...paints),
      shiftScore: shifts.reduce((sum, score) => sum + score, 0),
      historyMs,
      drawnMs,
    };
  } finally {
    await page.close();
  }
}

/** From now on, without a cache; the answer gives the bytes by kind of resource. */
async function countTransfers({ cdp }: ProbedPage): Promise<(kind: string) => number> {
  const kinds = new Map<string, string>();
  const bytes = new Map<string, number>();
  cdp.on('Network.responseReceived', ({ requestId, type }) => kinds.set(requestId, type));
  cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const kind = kinds.get(requestId) ?? 'Other';
    bytes.set(kind, (bytes.get(kind) ?? 0) + encodedDataLength);
  });
  await cdp.send('Network.enable');
  await cdp.send('Network.setCacheDisabled', { cacheDisabled: true });
  return (kind) => bytes.get(kind) ?? 0;
}
