'use client';

import { type LiveState, useConnection } from '../stores/connection-store.ts';
import { useLive } from '../use-live.ts';
import { spokenDuration } from '../visual/quantity.ts';
import { CHIP, type Status, StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';

/** Word and status of each answer to: is what I see live? */
export const LIVE_LOOK: Record<LiveState, { word: string; status: Status }> = {
  connecting: { word: 'CONNECTING', status: 'unknown' },
  live: { word: 'LIVE', status: 'normal' },
  reconnecting: { word: 'RECONNECTING', status: 'half' },
  stale: { word: 'STALE', status: 'degraded' },
  'no-data': { word: 'NO DATA', status: 'open' },
};

/** Is what I see live? The age is that of the newest telemetry tick. */
export function LiveStatus() {
  const nowMs = useClock(250);
  const phase = useConnection((store) => store.phase);
  const tickAt = useConnection((store) => store.tickAt);
  const notice = useConnection((store) => store.notice);
  const isOutdated = useConnection((store) => store.isOutdated);
  const state = useLive();
  const { word, status } = LIVE_LOOK[state];
  const ageMs = tickAt === null ? null : Math.max(0, nowMs - tickAt);
  return (
    <span
      className={`inline-flex items-center gap-1.5 rounded-md border px-2 py-0.5 text-xs font-semibold whitespace-nowrap ${CHIP[status]}`}
      data-state={state}
      data-testid="live-status"
      title={notice ?? 'Age of the newest data'}
    >
      <StatusMark size={10} status={status} />
      {word}
      {ageMs !== null && <span className="min-w-9 text-right font-medium">{spokenAge(ageMs)}</span>}
      {phase === 'disconnected' && state !== 'reconnecting' && (
        <span className="font-medium max-sm:hidden">· reconnecting</span>
      )}
      {isOutdated && (
        <button
          className="font-medium underline"
          onClick={() => location.reload()}
          title="The server has been built anew; a part of this page is not there any more"
          type="button"
        >
          reload this page
        </button>
      )}
    </span>
  );
}

export function spokenAge(ageMs: number): string {
  return ageMs < 10_000 ? `${(ageMs / 1000).toFixed(1)} s` : spokenDuration(ageMs);
}
