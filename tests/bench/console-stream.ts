import { beginFrames, endFrames, metricsOf, type ProbedPage } from './console-page.ts';

/** A frame that takes longer is seen as a jerk, ms. */
const SLOW_FRAME_MS = 25;
const LONG_TASK_MS = 50;

/** A stretch of streaming in one page. */
export interface StreamWindow {
  forMs: number;
  slowFrames: number;
  worstFrameMs: number;
  longTasks: number;
  /** Shares of the time that the main thread was at work: in all, and at scripts, styles and layout. */
  busyRatio: number;
  scriptRatio: number;
  layoutRatio: number;
}

export async function measureStream(page: ProbedPage, forMs: number): Promise<StreamWindow> {
  await page.take();
  const before = await metricsOf(page);
  await beginFrames(page);
  await new Promise((resolve) => setTimeout(resolve, forMs));
  const frames = await endFrames(page);
  const after = await metricsOf(page);
  const since = (name: string) => (after.get(name) ?? Number.NaN) - (before.get(name) ?? Number.NaN);
  const seconds = since('Timestamp');
  const longTasks = (await page.take()).filter(
    (each) => each.kind === 'longTask' && each.durationMs > LONG_TASK_MS,
  );
  return {
    forMs: seconds * 1000,
    slowFrames: frames.filter((ms) => ms > SLOW_FRAME_MS).length,
    worstFrameMs: Math.max(0, ...frames),
    longTasks: longTasks.length,
    busyRatio: since('TaskDuration') / seconds,
    scriptRatio: since('ScriptDuration') / seconds,
    layoutRatio: (since('LayoutDuration') + since('RecalcStyleDuration')) / seconds,
  };
}

/** Bytes of the page's heap that are in use after a collection. */
export async function heapOf(page: ProbedPage): Promise<number> {
  await page.cdp.send('HeapProfiler.collectGarbage');
  return (await page.cdp.send('Runtime.getHeapUsage')).usedSize;
}
