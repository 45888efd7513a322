import { isBusyFrame, YIELDS_MAX } from '../live/next-frame.ts';

/** A chart that wants to be drawn anew from time to time. */
export interface LoopChart {
  /** Nothing is drawn while this says false. */
  visible: () => boolean;
  periodMs: () => number;
  commit: (nowMs: number) => void;
}

/** Charts committed in one frame that have not been drawn, or not since a change of what all of them show. */
const FRESH_AT_ONCE = 4;
/** A chart that is out of sight can come into it without a word, ms. */
const LOOK_AGAIN_MS = 100;

const charts = new Map<LoopChart, number>();
let frame = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let yields = 0;

/**
 * One loop for all charts: as time goes on at most one of them is committed per animation frame, the one that has waited
 * longest, so that no frame is long. A frame is asked for only when one is due: each that is, is worked on by the whole
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
  if (yields < YIELDS_MAX && isBusyFrame(nowMs)) {
    yields++;
    schedule();
    return;
  }
  yields = 0;
  const due = [...charts]
    .filter(([chart, committedMs]) => nowMs - committedMs >= chart.periodMs() && chart.visible())
    .sort(([, a], [, b]) => (a === b ? 0 : a - b));
  const fresh = due.filter(([, committedMs]) => committedMs === Number.NEGATIVE_INFINITY);
  for (const [chart] of due.slice(0, Math.min(FRESH_AT_ONCE, fresh.length) || 1)) {
    charts.set(chart, nowMs);
    chart.commit(nowMs);
  }
  schedule();
}
