import type { LiveState } from './stores/connection-store.ts';
import { useLiveness } from './stores/liveness-store.ts';

/** Whether the picture is live; renders only when the answer changes. */
export function useLive(): LiveState {
  return useLiveness((store) => store.live);
}

/** A report older than this is not shown as present. */
const REPORT_STALE_MS = 2_000;

/** Class for a panel that shows a report: hatched when the link or that report is old. */
export function staleClass(live: LiveState, ageMs: number | null | undefined): string {
  const fresh = (live === 'live' || live === 'reconnecting') && ageMs != null && ageMs <= REPORT_STALE_MS;
  return fresh ? '' : 'stale';
}
