'use client';

import { SlidersHorizontal, Square, TimerReset } from 'lucide-react';
import { useMemo, useState } from 'react';
import type { ServiceName } from '#lib/protocol/faults.ts';
import { FaultForm } from '../desk/FaultForm.tsx';
import { changeFault, extendFault, stopFaults, takeOverFault } from '../desk/fault-commands.ts';
import { fieldsFor, fittingModifiers } from '../desk/fault-draft.ts';
import { formFields } from '../desk/form-fields.ts';
import { faultsReaching } from '../services/service-view.ts';
import { useCatalogue } from '../stores/catalogue-store.ts';
import { useConnection } from '../stores/connection-store.ts';
import { useFacts } from '../stores/facts-store.ts';
import { faultKey, type ObservedFault, useFaults } from '../stores/faults-store.ts';
import { LeaseRing } from '../visual/LeaseRing.tsx';
import { clockDuration, count, exactTime, percent } from '../visual/quantity.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';
import { inSentence, kindWords, settingWords } from './fault-words.ts';
import { propagation } from './propagation.ts';

/** What we have broken, who, how long left: everywhere, or what reaches one service. */
export function ActiveFaults({ service }: { service?: ServiceName }) {
  const all = useFaults((store) => store.faults);
  const faults = all && service ? faultsReaching(service, all) : all;
  const elsewhere = (all?.length ?? 0) - (faults?.length ?? 0);
  return (
    <section
      aria-label="Active faults"
      className={`panel flex shrink-0 flex-col ${service ? '' : 'max-h-[48%] has-[form]:max-h-[68%] max-wide:max-h-none'}`}
      data-in="live faults"
    >
      <h2 className="panel-title flex justify-between border-b border-line px-3 py-2">
        {service ? 'Faults in force here' : 'Active faults'}{' '}
        <span data-testid="active-fault-count">{faults?.length ?? '–'}</span>
      </h2>
      {faults?.length === 0 && (
        <p className="px-3 py-2.5 text-muted">
          Nothing is broken by us{service && ' here'}
          {elsewhere > 0 && `; ${elsewhere} ${elsewhere === 1 ? 'fault' : 'faults'} elsewhere`}.
        </p>
      )}
      {faults && faults.length > 0 && (
        <ul className="min-h-0 divide-y divide-line overflow-y-auto">
          {faults.map((fault) => (
            <ActiveFault fault={fault} key={fault.id} />
          ))}
        </ul>
      )}
    </section>
  );
}

function ActiveFault({ fault }: { fault: ObservedFault }) {
  const nowMs = useClock(500);
  const key = faultKey(fault.service, fault.type);
  const clearing = useFaults((store) => store.pending[key] === 'clearing');
  const tabId = useConnection((store) => store.tabId);
  const mine = fault.owner.tabId === tabId;
  const [draft, setDraft] = useState<number | null>(null);
  const ratio = draft ?? fault.ratio;
  const [form, setForm] = useState(false);
  const catalogue = useCatalogue((store) => store.catalogue);
  const type = catalogue?.types.find((each) => each.type === fault.type);
  const takesRatio = type && fittingModifiers(type, fault.service).names.includes('ratio');
  const refusal = useFaults((store) => (store.refusal?.key === key ? store.refusal.text : null));
  const fields = useMemo(
    () => (type ? fieldsFor(formFields(type.params), fault.service) : []),
    [type, fault.service],
  );
  const settings = [...settingWords(fault, fields), `seed ${fault.seed}`].join(' · ');
  const kinds = kindWords(fault);
  const name = `${fault.service} ${inSentence(fault.title)}`;
  return (
    <li className="hatch px-3 py-2" data-testid={`active-fault-${fault.service}-${fault.type}`}>
      <div className="flex items-center gap-2">
        <span className="text-injected-ink">
          <StatusMark size={14} status="injected" />
        </span>
        <span className="min-w-0 flex-1 truncate font-semibold" title={settings}>
          {fault.service} · {inSentence(fault.title)}
        </span>
        <span
          className="inline-flex items-center gap-1.5 font-semibold text-injected-ink"
          title={exactTime(fault.expiresAt)}
        >
          {clockDuration(fault.deadlineMs - nowMs + 499)}
          <LeaseRing deadlineMs={fault.deadlineMs} ttlMs={fault.ttlMs} />
        </span>
      </div>
      <p className="mt-0.5 truncate text-[12px] text-muted" title={kinds.join(' · ')}>
        {mine ? 'you' : fault.owner.name}
        {fault.owner.kind === 'rest' && fault.owner.name !== 'REST' && ' (REST)'} · armed in{' '}
        {Math.round(fault.armedInMs)} ms · {hitWords(fault)}
      </p>
      {kinds.length > 0 && (
        <p className="truncate text-[12px] text-muted" data-testid="fault-kinds" title={kinds.join(' · ')}>
          {kindWords(fault, 3).join(' · ')}
        </p>
      )}
      <p className="text-[12px] break-words text-muted" data-testid="fault-settings">
        {settings}
      </p>
      <Stopwatch fault={fault} />
      {fault.warning && <p className="text-[12px] text-degraded-ink">{fault.warning}</p>}
      <div className="mt-1.5 flex flex-wrap items-center justify-end gap-1.5">
        <label
          className={`flex min-w-28 flex-1 items-center gap-1.5 text-[12px] text-muted ${takesRatio ? '' : 'invisible'}`}
        >
          <span className="sr-only">Share of calls hit</span>
          <input
            aria-valuetext={percent(ratio)}
            className="h-4 min-w-0 flex-1 accent-injected-ink"
            max={1}
            min={0.05}
            onChange={(event) => setDraft(event.target.valueAsNumber)}
            onKeyUp={() => commitRatio()}
            onPointerUp={() => commitRatio()}
            step={0.05}
            title="Strength: share of calls hit"
            type="range"
            value={ratio}
          />
          <span className="w-11 text-right whitespace-nowrap">{percent(ratio)}</span>
        </label>
        <button
          aria-expanded={form}
          aria-label={`Change ${fault.title} on ${fault.service}`}
          className="small-button"
          data-testid="change-fault"
          disabled={!type}
          onClick={() => setForm(!form)}
          title="Change parameters and modifiers"
          type="button"
        >
          <SlidersHorizontal aria-hidden="true" size={13} />
        </button>
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
      {refusal && (
        <p className="mt-1 border-l-2 border-open pl-2 text-[12px] text-open-ink" role="alert">
          {refusal}
        </p>
      )}
      {form && type && catalogue && (
        <FaultForm fault={fault} service={fault.service} ttl={catalogue.ttl} type={type} />
      )}
    </li>
  );

  function commitRatio(): void {
    if (draft !== null && draft !== fault.ratio)
      void changeFault(fault, { ratio: draft }).finally(() => setDraft(null));
    else setDraft(null);
  }
}

function hitWords({ hits, seen }: ObservedFault): string {
  if (hits === 0 && seen === 0) return 'no call met it yet';
  const of = seen > hits ? ` of ${count(seen)} calls` : '';
  return `${count(hits)} ${hits === 1 ? 'hit' : 'hits'}${of}`;
}

/** How far the fault has come: to the service, its breaker, the mode. */
function Stopwatch({ fault }: { fault: ObservedFault }) {
  const facts = useFacts((log) => log.facts);
  const reached = propagation(facts, fault);
  const steps: [string, number | null][] = [
    ['down', reached.serviceDownMs],
    ['breaker', reached.breakerOpenMs],
    ['mode', reached.modeChangeMs],
  ];
  return (
    <p className="flex flex-wrap gap-x-2 text-[12px] text-muted" data-testid="stopwatch">
      {steps.map(([word, ms]) => (
        <span className="whitespace-nowrap" key={word}>
          {word}{' '}
          {ms === null ? (
            <span className="text-faint">not yet</span>
          ) : (
            <b className="font-semibold text-ink">+{(ms / 1000).toFixed(1)} s</b>
          )}
        </span>
      ))}
      {reached.deadLetters > 0 && <span>{reached.deadLetters} dead-lettered</span>}
    </p>
  );
}
