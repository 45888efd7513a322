'use client';

import { RotateCcw } from 'lucide-react';
import { type ReactNode, useId, useState } from 'react';
import type { DlqFilter } from '#lib/protocol/dead-letters.ts';
import { useSystem } from '../stores/state-store.ts';
import { staleClass, useLive } from '../use-live.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import { sendAllAgain } from './dlq-actions.ts';
import { useDlq } from './dlq-store.ts';
import { parseRate, type RedriveState, redriveState } from './redrive-state.ts';

/** Whether letters can be given back now; nothing can while what is known of the pipeline is old. */
export function useRedriveState(queues: readonly string[], redrivable: number | null): RedriveState {
  const live = useLive();
  const pipeline = useSystem((store) => store.state?.pipeline ?? null);
  const fresh = staleClass(live, pipeline?.ageMs) === '';
  return redriveState({ queues, redrivable, status: fresh ? (pipeline?.dlq ?? null) : null });
}

interface RedriveButtonProps {
  filter: DlqFilter;
  queues: readonly string[];
  redrivable: number | null;
  testId: string;
  children: ReactNode;
}

/** Gives back all that match; off with its reason beside it. */
export function RedriveButton({ filter, queues, redrivable, testId, children }: RedriveButtonProps) {
  const { disabled, note } = useRedriveState(queues, redrivable);
  const rateOk = useDlq((view) => parseRate(view.rate) !== null);
  const [busy, setBusy] = useState(false);
  const reasonId = useId();
  const send = async () => {
    setBusy(true);
    await sendAllAgain(filter);
    setBusy(false);
  };
  // That there is nothing stands on the page anyway.
  const said = queues.length === 0 ? null : (disabled ?? note);
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
