/** A chart that wants to be drawn anew from time to time. */
export interface LoopChart {
  /** Nothing is drawn while this says false. */
  visible: () => boolean;
  periodMs: () => number;
  commit: (nowMs: number) => void;
}

/** A chart that is out of sight can come into it without a word, ms. */
const LOOK_AGAIN_MS = 100;

const charts = new Map<LoopChart, number>();
let frame = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/**
 * One loop for all charts: at most one of them is committed per animation frame, the one that has waited longest.
 * Several at once cost 250 ms stalls. A frame is asked for only when one is due: each that is, is worked on by the whole
 * browser. Returns the way to leave.
 */
export function joinChartLoop(chart: LoopChart): () => void {
  charts.set(chart, Number.NEGATIVE_INFINITY);
  schedule();
  return () => {
    charts.delete(chart);
    schedule();
  };
}

/** Draws everything anew at the next frames: after a change of window, theme or size. */
export function redrawCharts(): void {
  for (const chart of charts.keys()) charts.set(chart, Number.NEGATIVE_INFINITY);
  schedule();
}

/** Has the next frame when a chart is due, or looks again when the first of them will be. */
function schedule(): void {
  clearTimeout(timer);
  if (frame !== 0) cancelAnimationFrame(frame);
  frame = 0;
  if (charts.size === 0) return;
  const nowMs = performance.now();
  let waitMs = LOOK_AGAIN_MS;
  for (const [chart, committedMs] of charts) {
    if (chart.visible()) waitMs = Math.min(waitMs, committedMs + chart.periodMs() - nowMs);
  }
  if (waitMs <= 0) frame = requestAnimationFrame(step);
  else timer = setTimeout(schedule, waitMs);
}

function step(nowMs: number): void {
  let oldest: LoopChart | undefined;
  let oldestMs = Number.POSITIVE_INFINITY;
  for (const [chart, committedMs] of charts) {
    if (nowMs - committedMs < chart.periodMs() || committedMs >= oldestMs || !chart.visible()) continue;
    oldest = chart;
    oldestMs = committedMs;
  }
  if (oldest) {
    charts.set(oldest, nowMs);
    oldest.commit(nowMs);
  }
  schedule();
}
