'use client';

import { serverNow, useSystem } from '../stores/state-store.ts';
import { staleClass, useLive } from '../use-live.ts';
import { clockDuration, exactTime, timeOfDay } from '../visual/quantity.ts';
import { CHIP, MODE_STATUS, StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';
import { causeText } from './cause-text.ts';
import { LedgerSentence } from './LedgerSentence.tsx';
import { silentPipeline } from './silent-pipeline.ts';

/** Causes named on a narrow screen, where what stays on top must stay small. */
const CAUSES_NARROW = 2;

/** With more causes than this the services are named and the rest left to the tooltip and the story. */
const CAUSES_IN_WORDS = 2;

const MEANING = {
  NORMAL: 'every service answers',
  DEGRADED: 'something is down, its fallback works',
  MINIMAL: 'a critical service is down, only the essential works',
  OFFLINE: 'nothing that matters answers',
} as const;

/** Which mode, since when, why; then whether work is lost. */
export function ModeBanner() {
  useClock(1_000);
  const state = useSystem((store) => store.state);
  const live = useLive();
  const mode = state?.mode ?? null;
  const status = mode ? MODE_STATUS[mode] : 'unknown';
  const detail = state?.pipeline?.mode;
  const causes = state && mode === null ? [silentPipeline(state)] : (state?.modeCause ?? []);
  const stale = staleClass(live, mode === null ? 0 : state?.pipeline?.ageMs);
  const sinceMs = detail && (mode === null ? state?.pipeline?.ageMs : serverNow() - detail.since);
  return (
    <section aria-label="Mode and ledger" className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
      <div
        className={`inline-flex items-center gap-2 rounded-md border-2 px-3 py-1 text-sm font-bold tracking-wide ${CHIP[status]} ${stale}`}
        data-mode={mode ?? 'UNKNOWN'}
        data-testid="mode"
      >
        <StatusMark size={14} status={status} />
        {mode ?? 'UNKNOWN'}
        {detail && sinceMs !== undefined && !stale && (
          <span className="font-medium" title={exactTime(serverNow() - sinceMs)}>
            {clockDuration(sinceMs)}
          </span>
        )}
      </div>
      <div
        className={`flex min-w-0 flex-1 flex-wrap items-center gap-x-1.5 gap-y-1 text-[13px] ${causes.length > 0 || (state && stale) ? 'basis-72' : 'basis-40'}`}
        data-testid="mode-why"
      >
        {!state && <span className="text-muted">waiting for the first snapshot</span>}
        {state && stale && (
          <span className="font-semibold">
            when last heard{mode && detail && `, since ${timeOfDay(detail.since)}`}:
          </span>
        )}
        {mode && detail?.previous && mode !== 'NORMAL' && (
          <span className="text-muted">was {detail.previous}</span>
        )}
        {mode && causes.length === 0 && <span className="text-muted">{MEANING[mode]}</span>}
        {causes.length > 0 && <span className="text-muted">because</span>}
        {causes.map((cause, index) => (
          <span
            className={`inline-flex max-w-full min-w-0 items-center gap-1.5 ${index >= CAUSES_NARROW ? 'max-wide:hidden' : ''}`}
            key={`${cause.service}${cause.origin}`}
          >
            {index > 0 && <span className="text-faint">+</span>}
            <b className="font-semibold max-wide:truncate" title={causeText(cause)}>
              {causes.length > CAUSES_IN_WORDS ? cause.service : causeText(cause)}
            </b>
            <OriginChip origin={cause.origin} />
          </span>
        ))}
        {state && mode === null && detail && <span className="text-muted">last known as {detail.mode}</span>}
        {causes.length > CAUSES_NARROW && (
          <span className="text-muted wide:hidden">and {causes.length - CAUSES_NARROW} more</span>
        )}
      </div>
      <LedgerSentence />
    </section>
  );
}

/** Ours or not: a game day is about the second. */
export function OriginChip({ origin }: { origin: 'injected' | 'organic' }) {
  const injected = origin === 'injected';
  return (
    <span
      className={`inline-flex items-center gap-1 rounded border px-1 text-[11px] leading-4 font-bold tracking-wide whitespace-nowrap ${injected ? 'hatch border-injected text-injected-ink' : CHIP.open}`}
    >
      {injected && <StatusMark size={9} status="injected" />}
      {injected ? 'INJECTED' : 'NOT OURS'}
    </span>
  );
}
