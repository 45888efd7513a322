'use client';

import { OctagonX } from 'lucide-react';
import { causeText } from '../banner/cause-text.ts';
import { useConnection } from '../stores/connection-store.ts';
import { serverNow, useSystem } from '../stores/state-store.ts';
import { LIVE_LOOK, spokenAge } from '../top-bar/LiveStatus.tsx';
import { staleClass, useLive } from '../use-live.ts';
import { clockDuration, timeOfDay } from '../visual/quantity.ts';
import { CHIP, MODE_STATUS, StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';

const CAUSES = 4;
/** With more causes than this the services are named; the answers below say more. */
const CAUSES_IN_WORDS = 2;

/** Is what I see live? Which mode, since when, why? Halted? */
export function WallHead() {
  return (
    <header className="flex flex-col gap-3">
      <h1 className="sr-only">Brownout on the wall</h1>
      <div className="flex flex-wrap items-stretch gap-3 max-wide:justify-between">
        <WallLive />
        <WallMode />
        <WallTime />
      </div>
      <WallHalted />
    </header>
  );
}

function WallLive() {
  const nowMs = useClock(250);
  const tickAt = useConnection((store) => store.tickAt);
  const live = useLive();
  const { word, status } = LIVE_LOOK[live];
  return (
    <p
      className={`inline-flex items-center gap-2 rounded-lg border-2 px-4 py-2 text-[28px] font-bold whitespace-nowrap ${CHIP[status]}`}
      data-state={live}
      data-testid="live-status"
    >
      <StatusMark size={22} status={status} />
      {word}
      {tickAt !== null && <span className="font-medium">{spokenAge(Math.max(0, nowMs - tickAt))}</span>}
    </p>
  );
}

function WallMode() {
  useClock(1_000);
  const state = useSystem((store) => store.state);
  const live = useLive();
  const mode = state?.mode ?? null;
  const status = mode ? MODE_STATUS[mode] : 'unknown';
  const detail = state?.pipeline?.mode;
  const causes = state?.modeCause ?? [];
  const stale = staleClass(live, state?.pipeline?.ageMs);
  return (
    <div className="flex min-w-0 flex-1 flex-wrap items-center gap-x-4 gap-y-1 max-wide:order-last max-wide:basis-full">
      <p
        className={`inline-flex items-center gap-3 rounded-lg border-4 px-5 py-1 text-[44px] leading-tight max-sm:px-3 max-sm:text-[32px] font-bold tracking-wide whitespace-nowrap ${CHIP[status]} ${stale}`}
        data-mode={mode ?? 'UNKNOWN'}
        data-testid="mode"
      >
        <StatusMark size={36} status={status} />
        {mode ?? 'UNKNOWN'}
        {mode && detail && !stale && (
          <span className="font-medium">{clockDuration(serverNow() - detail.since)}</span>
        )}
      </p>
      <p className="min-w-0 flex-1 basis-80 text-[24px] text-muted" data-testid="mode-why">
        {mode && stale && <b className="text-ink">when last heard: </b>}
        {mode === null && (state ? 'the pipeline does not report' : 'waiting for the first snapshot')}
        {mode && mode !== 'NORMAL' && detail?.previous && `was ${detail.previous} `}
        {mode && causes.length === 0 && mode === 'NORMAL' && 'every service answers'}
        {causes.length > 0 && 'because '}
        {causes.slice(0, CAUSES).map((cause, index) => (
          <span key={`${cause.service}${cause.origin}`}>
            {index > 0 && ' + '}
            <b className="font-semibold text-ink">
              {causes.length > CAUSES_IN_WORDS ? cause.service : causeText(cause)}
            </b>{' '}
            <b className={cause.origin === 'injected' ? 'text-injected-ink' : 'text-open-ink'}>
              {cause.origin === 'injected' ? 'INJECTED' : 'NOT OURS'}
            </b>
          </span>
        ))}
        {causes.length > CAUSES && ` and ${causes.length - CAUSES} more`}
      </p>
    </div>
  );
}

function WallTime() {
  useClock(1_000);
  const known = useSystem((store) => store.state !== null);
  const viewers = useSystem((store) => store.state?.operatorCount ?? null);
  const now = serverNow();
  return (
    <p className="text-right text-muted max-sm:self-center" suppressHydrationWarning>
      <span className="block text-[28px] leading-tight font-semibold text-ink">
        {known ? timeOfDay(now) : '–'}
      </span>
      <span className="max-sm:hidden">
        {known && `${new Date(now).toISOString().slice(11, 16)} UTC`}
        {viewers !== null && ` · ${viewers} ${viewers === 1 ? 'viewer' : 'viewers'}`}
      </span>
    </p>
  );
}

function WallHalted() {
  const halted = useSystem((store) => store.state?.halted ?? null);
  if (!halted) return null;
  return (
    <p
      className="flex items-center gap-3 rounded-lg border-4 border-loss bg-panel px-4 py-2 text-[28px] font-semibold"
      data-testid="wall-halted"
      role="alert"
    >
      <OctagonX aria-hidden="true" className="shrink-0 text-loss-ink" size={32} />
      HALTED by {halted.by} at {timeOfDay(halted.at)}
      {halted.reason && <span className="font-normal text-muted">· {halted.reason}</span>}
    </p>
  );
}
