'use client';

import { RotateCcw } from 'lucide-react';
import { type ReactNode, useId, useState } from 'react';
import type { DlqFilter } from '#lib/protocol/dead-letters.ts';
import type { DlqStatus } from '#lib/protocol/state.ts';
import { useSystem } from '../stores/state-store.ts';
import { staleClass, useLive } from '../use-live.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import { sendAllAgain } from './dlq-actions.ts';
import { useDlq } from './dlq-store.ts';
import { NOTHING_TO_SEND, parseRate, type RedriveState } from './redrive-state.ts';

/** What the pipeline reports of its dead letters; null when that is old: nothing is done on the word of the past. */
export function useFreshStatus(): DlqStatus | null {
  const live = useLive();
  const dlq = useSystem((store) => store.state?.pipeline?.dlq ?? null);
  const stale = useSystem((store) => staleClass(live, store.state?.pipeline?.ageMs) !== '');
  return stale ? null : dlq;
}

interface RedriveButtonProps {
  filter: DlqFilter;
  state: RedriveState;
  testId: string;
  children: ReactNode;
}

/** Gives back all that match; off with its reason beside it. */
export function RedriveButton({ filter, state, testId, children }: RedriveButtonProps) {
  const { disabled, note } = state;
  const rateOk = useDlq((view) => parseRate(view.rate) !== null);
  const [busy, setBusy] = useState(false);
  const reasonId = useId();
  const send = async () => {
    setBusy(true);
    await sendAllAgain(filter);
    setBusy(false);
  };
  // That there is nothing stands on the page anyway.
  const said = disabled === NOTHING_TO_SEND ? null : (disabled ?? note);
  return (
    <span className="inline-flex min-w-0 flex-wrap items-center gap-x-2 gap-y-1">
      {said && (
        <span
          className="inline-flex items-center gap-1 text-[12px] font-medium text-degraded-ink"
          data-testid={`${testId}-reason`}
          id={reasonId}
        >
          <StatusMark size={10} status="degraded" />
          {said}
        </span>
      )}
      <button
        aria-busy={busy}
        aria-describedby={said ? reasonId : undefined}
        className="small-button min-h-8!"
        data-testid={testId}
        disabled={disabled !== null || !rateOk || busy}
        onClick={() => void send()}
        type="button"
      >
        <RotateCcw aria-hidden="true" size={13} /> {children}
      </button>
    </span>
  );
}
