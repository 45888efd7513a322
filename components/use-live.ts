import { type LiveState, liveState, useConnection } from './stores/connection-store.ts';
import { useClock } from './visual/use-clock.ts';

/** Whether the picture is live; renders only when the answer changes with the half-second clock. */
export function useLive(): LiveState {
  const nowMs = useClock(500);
  const phase = useConnection((store) => store.phase);
  const tickAt = useConnection((store) => store.tickAt);
  return liveState({ phase, tickAt }, nowMs);
}

/** A report older than this is not shown as present. */
const REPORT_STALE_MS = 2_000;

/** Class for a panel that shows a report: hatched when the link or that report is old. */
export function staleClass(live: LiveState, ageMs: number | null | undefined): string {
  const fresh = (live === 'live' || live === 'reconnecting') && ageMs != null && ageMs <= REPORT_STALE_MS;
  return fresh ? '' : 'stale';
}
