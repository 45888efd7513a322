/** A chart that wants to be drawn anew from time to time. */
export interface LoopChart {
  /** Nothing is drawn while this says false. */
  visible: () => boolean;
  periodMs: () => number;
  commit: (nowMs: number) => void;
}

const charts = new Map<LoopChart, number>();
let frame = 0;

/**
 * One loop for all charts: at most one of them is committed per animation frame, the one that has waited longest.
 * Several at once cost 250 ms stalls. Returns the way to leave.
 */
export function joinChartLoop(chart: LoopChart): () => void {
  charts.set(chart, Number.NEGATIVE_INFINITY);
  if (charts.size === 1) frame = requestAnimationFrame(step);
  return () => {
    charts.delete(chart);
    if (charts.size === 0) cancelAnimationFrame(frame);
  };
}

/** Draws everything anew at the next frames: after a change of window, theme or size. */
export function redrawCharts(): void {
  for (const chart of charts.keys()) charts.set(chart, Number.NEGATIVE_INFINITY);
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
  frame = requestAnimationFrame(step);
}
