import { create } from 'zustand';
import type { Fact } from '#lib/protocol/facts.ts';
import type { Standing } from '#lib/protocol/timeline.ts';
import { redrawCharts } from '../charts/chart-loop.ts';
import { buffers } from '../live/series-buffers.ts';
import { SeriesRing } from '../live/series-ring.ts';
import { takeOlderFacts } from '../stores/facts-store.ts';
import { serverNow } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { FIRST_SPAN_MS, POINTS } from './history-paths.ts';
import { fetchSeries, fetchWindow } from './history-requests.ts';
import { KEPT_MS } from './moments.ts';

/** A stretch of the past that the live buffers do not reach. Times are epoch ms of the server. */
export interface PastWindow {
  fromAt: number;
  toAt: number;
  ring: SeriesRing;
  facts: readonly Fact[];
  standing: Standing;
  gap: boolean;
}

interface History {
  phase: 'idle' | 'loading' | 'failed';
  error: string | null;
  /** From here on the live buffers and facts are whole; null until the first answer. */
  liveFrom: number | null;
  /** What held there. */
  liveStanding: Standing | null;
  past: PastWindow | null;
}

export const useHistory = create<History>(() => ({
  phase: 'idle',
  error: null,
  liveFrom: null,
  liveStanding: null,
  past: null,
}));

/** What the live buffers can hold. */
const LIVE_SPAN_MS = buffers.stepMs * buffers.capacity;
/** An end that lies this close outside still counts as covered. */
const SLACK_MS = 5_000;
const AGAIN_MS = 3_000;

let failedAt = Number.NEGATIVE_INFINITY;
/** Span that somebody asked to be filled and that has not been yet, ms. */
let owedMs = 0;
/** End of what was filled from history, and the moment from which on samples come live; epoch ms of the server. */
let filledTo = Number.NEGATIVE_INFINITY;
let liveSince = Number.NEGATIVE_INFINITY;
/** So much may lie between the two: the last sample of an answer covers it. */
const SEAM_MS = 2_000;

/** Does one load at a time; a failure is kept to be shown, and tried again. */
async function loading(load: () => Promise<void>): Promise<void> {
  if (useHistory.getState().phase === 'loading') return;
  useHistory.setState({ phase: 'loading' });
  try {
    await load();
    useHistory.setState({ phase: 'idle', error: null });
  } catch (error) {
    failedAt = performance.now();
    useHistory.setState({ phase: 'failed', error: error instanceof Error ? error.message : String(error) });
  }
}

/**
 * Fills what the live buffers and facts do not have yet. Without a span it asks for the last 15 minutes by the
 * server's clock, so that it can begin before anything is known of that.
 */
export function fillLive(askedMs: number = FIRST_SPAN_MS): Promise<void> {
  owedMs = Math.max(owedMs, askedMs);
  return loading(async () => {
    const spanMs = owedMs;
    const range = spanMs === FIRST_SPAN_MS ? {} : { fromMs: serverNow() - spanMs };
    const [series, window] = await Promise.all([fetchSeries(range, spanMs / POINTS), fetchWindow(range)]);
    filledTo = Math.max(filledTo, window.toMs);
    if (owedMs <= spanMs && liveSince - filledTo <= SEAM_MS) owedMs = 0;
    for (const each of series) buffers.backfill(each.name, each.startAt, each.stepMs, each.values);
    takeOlderFacts(window.facts);
    const { liveFrom } = useHistory.getState();
    if (liveFrom === null || window.fromMs < liveFrom)
      useHistory.setState({ liveFrom: window.fromMs, liveStanding: window.standing });
    redrawCharts();
  });
}

/** Samples come live from here on: what a cut, or a slow start, has left out before it is filled. */
export function joinLive(at: number): void {
  liveSince = at;
  if (liveSince - filledTo > SEAM_MS) void fillLive();
}

/** Width of a past sample, ms: what a chart of this window can show. */
function pastStepMs(windowMs: number): number {
  return Math.max(1, Math.ceil((windowMs * 3) / POINTS / 1_000)) * 1_000;
}

function loadPast(fromAt: number, toAt: number): Promise<void> {
  return loading(async () => {
    const spanMs = toAt - fromAt;
    const now = serverNow();
    const range = { fromMs: Math.max(fromAt - spanMs, now - KEPT_MS), toMs: Math.min(toAt + spanMs, now) };
    const stepMs = pastStepMs(spanMs);
    const [series, window] = await Promise.all([fetchSeries(range, stepMs), fetchWindow(range)]);
    const ring = new SeriesRing({ stepMs, capacity: Math.ceil((range.toMs - range.fromMs) / stepMs) + 4 });
    for (const each of series) ring.backfill(each.name, each.startAt, each.stepMs, each.values);
    const { facts, standing, gap } = window;
    useHistory.setState({
      past: { fromAt: range.fromMs, toAt: range.toMs, ring, facts, standing, gap },
    });
  });
}

/** Whether the live buffers and facts have everything from there on. */
export function liveCovers(fromAt: number): boolean {
  const { liveFrom } = useHistory.getState();
  if (liveFrom === null) return false;
  return fromAt >= Math.max(liveFrom, serverNow() - LIVE_SPAN_MS) - SLACK_MS;
}

/** The loaded past when it has all of a window, as finely as a chart can show. */
export function pastCovering(
  fromAt: number,
  toAt: number,
  stepMs = Number.POSITIVE_INFINITY,
): PastWindow | null {
  const { past } = useHistory.getState();
  if (!past || past.ring.stepMs > stepMs) return null;
  return past.fromAt <= fromAt + SLACK_MS && past.toAt >= toAt - SLACK_MS ? past : null;
}

/** Loads what the window on screen lacks; called again and again, does nothing when nothing is missing. */
export function ensureHistory(): void {
  const { windowMs, frozenAt } = useView.getState();
  const now = serverNow();
  const toAt = frozenAt ?? now;
  const fromAt = toAt - windowMs;
  if (performance.now() - failedAt < AGAIN_MS) return;
  if (owedMs > 0) void fillLive(owedMs);
  if (liveCovers(fromAt)) return;
  if (fromAt < now - LIVE_SPAN_MS - SLACK_MS) {
    if (!pastCovering(fromAt, toAt, pastStepMs(windowMs))) void loadPast(fromAt, toAt);
  } else void fillLive(fromAt >= now - FIRST_SPAN_MS - SLACK_MS ? FIRST_SPAN_MS : LIVE_SPAN_MS);
}
