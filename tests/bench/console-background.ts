import { startBareChromium } from '#tests/support/bare-chromium.ts';
import { until } from '#tests/support/until.ts';

/** Two frames that follow each other as closely as this say that the page answers again, ms. */
const SMOOTH_MS = 50;

/** Kept in the page: when it came to the front, and when it was live and drawing smoothly after that. */
const WATCH = `(() => {
  window.back = { shownMs: null, usableMs: null };
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'visible') return;
    back.shownMs = performance.now();
    let lastMs = 0;
    const frame = (atMs) => {
      const live = document.querySelector('[data-testid="live-status"]')?.dataset.state === 'live';
      if (live && lastMs > 0 && atMs - lastMs <= ${SMOOTH_MS}) back.usableMs = performance.now();
      lastMs = atMs;
      if (back.usableMs === null) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
})()`;

/** From the moment in which a page that was behind another tab comes back until it is live and draws smoothly, ms. */
export async function measureBackground(url: string, hiddenMs: number): Promise<number> {
  const browser = await startBareChromium(url, { args: ['--window-size=1440,900'] });
  try {
    await browser.evaluate(WATCH);
    await browser.hide();
    await new Promise((resolve) => setTimeout(resolve, hiddenMs));
    await browser.show();
    return await until('the page is usable', 20_000, async () => {
      const ms = await browser.evaluate<number | null>('back.usableMs && back.usableMs - back.shownMs');
      return ms ?? undefined;
    });
  } finally {
    await browser.close();
  }
}
