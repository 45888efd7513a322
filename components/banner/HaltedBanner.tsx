'use client';

import { OctagonX, Play } from 'lucide-react';
import { useState } from 'react';
import { typeWords } from '../faults/fault-words.ts';
import { useHalt } from '../halt-command.ts';
import { command } from '../socket.ts';
import { useFacts } from '../stores/facts-store.ts';
import { describeProblem } from '../stores/faults-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { timeOfDay } from '../visual/quantity.ts';

/** Halted and latched: who, the receipt of every injector, and the way back. */
export function HaltedBanner() {
  const halted = useSystem((store) => store.state?.halted ?? null);
  const told = useFacts((log) => log.facts.findLast((fact) => fact.type === 'halted'));
  const own = useHalt((store) => store.receipt);
  const [reason, setReason] = useState('');
  const [refusal, setRefusal] = useState<string | null>(null);
  if (!halted) return null;
  const receipt = told?.type === 'halted' && told.at >= halted.at - 1_000 ? told.data.receipt : own;
  const late = receipt?.unacknowledged ?? [];
  const remaining = [...new Set(receipt?.faults.flatMap((fault) => fault.remaining) ?? [])];
  const resume = async () => {
    const answer = await command('halt:resume', { reason: reason.trim() });
    setRefusal(answer.ok ? null : describeProblem(answer.error));
    if (answer.ok) setReason('');
  };
  return (
    <section
      className="flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg border-2 border-loss bg-panel px-3 py-2"
      data-testid="halted-banner"
      role="alert"
    >
      <OctagonX aria-hidden="true" className="shrink-0 text-loss-ink" size={20} />
      <div className="min-w-0 flex-1 basis-72">
        <p className="font-semibold">
          Halted by {halted.by} at {timeOfDay(halted.at)}
          {halted.reason && <span className="font-normal text-muted"> · {halted.reason}</span>}
        </p>
        {receipt && (
          <p className="text-muted max-wide:line-clamp-2">
            {receipt.faults.length === 0
              ? 'No fault was on'
              : `${receipt.faults.length} ${receipt.faults.length === 1 ? 'fault' : 'faults'} ended`}{' '}
            in {Math.round(receipt.tookMs)} ms
            {receipt.faults.map((fault) => (
              <span key={fault.faultId}>
                {' · '}
                {fault.service} {typeWords(fault)}{' '}
                {fault.acknowledged ? `${Math.round(fault.acknowledgedInMs)} ms` : <b>not acknowledged</b>}
              </span>
            ))}
          </p>
        )}
        {remaining.length > 0 && (
          <p className="text-muted max-wide:hidden wide:line-clamp-1" title={remaining.join('\n')}>
            Not yet well at that moment: {remaining.join(' · ').replaceAll('_', '-')}
          </p>
        )}
        {late.length > 0 && (
          <p className="font-semibold text-loss-ink">Not acknowledged within 1 s: {late.join(', ')}</p>
        )}
        {refusal && <p className="text-loss-ink">{refusal}</p>}
      </div>
      <form
        className="flex items-center gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          void resume();
        }}
      >
        <label className="sr-only" htmlFor="resume-reason">
          Why faults may start again
        </label>
        <input
          className="field min-h-8 w-56"
          data-testid="resume-reason"
          id="resume-reason"
          maxLength={500}
          onChange={(event) => setReason(event.target.value)}
          placeholder="Reason to go on"
          value={reason}
        />
        <button
          className="small-button min-h-8"
          data-testid="resume-button"
          disabled={reason.trim() === ''}
          type="submit"
        >
          <Play aria-hidden="true" size={13} /> Resume
        </button>
      </form>
    </section>
  );
}
