'use client';

import { ChevronRight, Square, TimerReset } from 'lucide-react';
import dynamic from 'next/dynamic';
import { useId, useState } from 'react';
import { extendFault, stopFaults, takeOverFault } from '../desk/fault-commands.ts';
import { fetchPart } from '../fetch-part.ts';
import { useConnection } from '../stores/connection-store.ts';
import { faultKey, type ObservedFault, useFaults } from '../stores/faults-store.ts';
import { LeaseRing } from '../visual/LeaseRing.tsx';
import { clockDuration, count, exactTime } from '../visual/quantity.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';
import { inSentence } from './fault-words.ts';
import { Stopwatch } from './Stopwatch.tsx';

const FaultDetails = dynamic(
  () => fetchPart(() => import('./FaultDetails.tsx')).then((module) => module.FaultDetails),
  {
    ssr: false,
  },
);

interface ActiveFaultProps {
  fault: ObservedFault;
  /** Opened from the start; otherwise what is seldom asked for is a press away, so that more faults fit. */
  whole: boolean;
}

/** One fault: what, whose, how long left, how far it has come, and the way to end it. */
export function ActiveFault({ fault, whole }: ActiveFaultProps) {
  const nowMs = useClock(500);
  const key = faultKey(fault.service, fault.type);
  const clearing = useFaults((store) => store.pending[key] === 'clearing');
  const refusal = useFaults((store) => (store.refusal?.key === key ? store.refusal.text : null));
  const tabId = useConnection((store) => store.tabId);
  const mine = fault.owner.tabId === tabId;
  const [open, setOpen] = useState(whole);
  const details = useId();
  const who = `${mine ? 'you' : fault.owner.name}${fault.owner.kind === 'rest' && fault.owner.name !== 'REST' ? ' (REST)' : ''}`;
  const name = `${fault.service} ${inSentence(fault.title)}`;
  return (
    <li className="hatch px-3 py-1.5" data-testid={`active-fault-${fault.service}-${fault.type}`}>
      <div className="flex items-center gap-2">
        <button
          aria-controls={details}
          aria-expanded={open}
          className="-ml-1 flex min-h-6 min-w-0 flex-1 items-center gap-1.5 rounded px-1 text-left"
          data-testid="fault-details-open"
          onClick={() => setOpen(!open)}
          title="Parameters, strength, what it hit"
          type="button"
        >
          <span className="text-injected-ink">
            <StatusMark size={14} status="injected" />
          </span>
          <span className="truncate font-semibold">
            {fault.service} · {inSentence(fault.title)}
          </span>
          <ChevronRight
            aria-hidden="true"
            className={`shrink-0 text-muted ${open ? 'rotate-90' : ''}`}
            size={13}
          />
        </button>
        <span
          className="inline-flex items-center gap-1.5 font-semibold text-injected-ink"
          title={exactTime(fault.expiresAt)}
        >
          {clockDuration(fault.deadlineMs - nowMs + 499)}
          <LeaseRing deadlineMs={fault.deadlineMs} ttlMs={fault.ttlMs} />
        </span>
      </div>
      <div className="flex items-center gap-1.5">
        <p className="min-w-0 flex-1 truncate text-[12px] text-muted" title={`${who} · ${hitWords(fault)}`}>
          <b className="font-semibold text-ink">{who}</b> · {hitWords(fault)}
        </p>
        {!mine && (
          <button
            className="small-button"
            data-testid="take-over-fault"
            onClick={() => void takeOverFault(fault)}
            title={`Make it yours; it no longer ends with ${fault.owner.name}`}
            type="button"
          >
            Take <span className="sr-only">{name}</span>
          </button>
        )}
        <button
          className="small-button"
          data-testid="extend-fault"
          onClick={() => void extendFault(fault)}
          title="Full time again, from now (.)"
          type="button"
        >
          <TimerReset aria-hidden="true" size={13} /> Extend <span className="sr-only">{name}</span>
        </button>
        <button
          aria-busy={clearing}
          className="small-button font-semibold!"
          data-testid="stop-fault"
          onClick={() => void stopFaults([fault.id], key)}
          type="button"
        >
          <Square aria-hidden="true" fill="currentColor" size={10} /> Stop{' '}
          <span className="sr-only">{name}</span>
        </button>
      </div>
      <Stopwatch fault={fault} />
      {fault.warning && <p className="text-[12px] text-degraded-ink">{fault.warning}</p>}
      {refusal && (
        <p className="mt-1 border-l-2 border-open pl-2 text-[12px] text-open-ink" role="alert">
          {refusal}
        </p>
      )}
      <div id={details}>{open && <FaultDetails fault={fault} />}</div>
    </li>
  );
}

function hitWords({ hits, seen, plane }: ObservedFault): string {
  if (hits === 0 && seen === 0)
    return plane === 'network' || plane === 'protocol' ? 'no call yet' : 'in force';
  const of = seen > hits ? ` of ${count(seen)} calls` : '';
  return `${count(hits)} ${hits === 1 ? 'hit' : 'hits'}${of}`;
}
