import type { LiveServerEvents } from '#lib/protocol/events.ts';
import { CHARTED_METRICS } from '#lib/protocol/metrics.ts';
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
