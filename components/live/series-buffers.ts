import type { LiveServerEvents } from '#lib/protocol/events.ts';
import { CHARTED_METRICS, type Series } from '#lib/protocol/metrics.ts';
import { SeriesRing } from './series-ring.ts';

/**
 * The samples of this tab, outside React: the socket handler only writes here, charts read when it is their turn.
 */
export const buffers = new SeriesRing();

const charted = new Set(CHARTED_METRICS);
/** `names[i]` belongs to the i-th value of a tick of the same layout; undefined for series nobody draws. */
let layout: { id: number; names: (string | undefined)[] } | null = null;

export function takeLayout({ layout: id, metrics }: Parameters<LiveServerEvents['layout']>[0]): void {
  layout = { id, names: metrics.map(({ name }) => (charted.has(name) ? name : undefined)) };
}

/** A tick of a layout that we do not know is dropped: its values could belong to other series. */
export function takeTick({ at, layout: id, values }: Parameters<LiveServerEvents['tick']>[0]): void {
  if (layout?.id !== id) return;
  for (const [index, name] of layout.names.entries()) {
    if (name) buffers.write(name, at, values[index] ?? null);
  }
}

const HISTORY_SPAN_MS = 900_000;
/** Series asked for at once; the server answers for 50 at most. */
const NAMES_MAX = 40;

/**
 * Fills the gaps of the last 15 minutes from the server's history; after a reload or a cut the charts are whole
 * again. Without an answer the gaps stay gaps.
 */
export async function loadHistory(nowAt: number): Promise<void> {
  const parts: string[][] = [];
  for (let from = 0; from < CHARTED_METRICS.length; from += NAMES_MAX) {
    parts.push(CHARTED_METRICS.slice(from, from + NAMES_MAX));
  }
  await Promise.all(parts.map((names) => loadSeries(names, nowAt)));
}

async function loadSeries(names: readonly string[], nowAt: number): Promise<void> {
  const query = new URLSearchParams({
    names: names.join(','),
    fromMs: String(Math.round(nowAt - HISTORY_SPAN_MS)),
    stepMs: '2000',
  });
  try {
    const response = await fetch(`/api/v1/series?${query}`, { signal: AbortSignal.timeout(5_000) });
    if (!response.ok) return;
    const { series } = (await response.json()) as { series: Series[] };
    for (const each of series) buffers.backfill(each.name, each.startAt, each.stepMs, each.values);
  } catch {
    // No history is what the gaps already say.
  }
}
