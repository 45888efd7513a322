'use client';

import { SlidersHorizontal } from 'lucide-react';
import { useMemo, useState } from 'react';
import { FaultForm } from '../desk/FaultForm.tsx';
import { changeFault } from '../desk/fault-commands.ts';
import { fieldsFor, fittingModifiers } from '../desk/fault-draft.ts';
import { formFields } from '../desk/form-fields.ts';
import { useCatalogue } from '../stores/catalogue-store.ts';
import type { ObservedFault } from '../stores/faults-store.ts';
import { percent } from '../visual/quantity.ts';
import { kindWords, settingWords } from './fault-words.ts';

const KINDS_NAMED = 3;

/** How a fault is set, what it hit, and the way to change it while it acts. */
export function FaultDetails({ fault }: { fault: ObservedFault }) {
  const [form, setForm] = useState(false);
  const catalogue = useCatalogue((store) => store.catalogue);
  const type = catalogue?.types.find((each) => each.type === fault.type);
  const takesRatio = type && fittingModifiers(type, fault.service).names.includes('ratio');
  const fields = useMemo(
    () => (type ? fieldsFor(formFields(type.params), fault.service) : []),
    [type, fault.service],
  );
  const kinds = kindWords(fault);
  return (
    <div className="mt-1 border-t border-line pt-1 text-[12px] text-muted">
      {kinds.length > 0 && (
        <p className="truncate" data-testid="fault-kinds" title={kinds.join(' · ')}>
          hit {kindWords(fault, KINDS_NAMED).join(' · ')}
        </p>
      )}
      <p className="break-words" data-testid="fault-settings">
        {[...settingWords(fault, fields), `seed ${fault.seed}`].join(' · ')} · armed in{' '}
        {Math.round(fault.armedInMs)} ms
      </p>
      <div className="mt-1 flex items-center justify-end gap-1.5">
        {takesRatio && <Strength fault={fault} />}
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
          <SlidersHorizontal aria-hidden="true" size={13} /> Change
        </button>
      </div>
      {form && type && catalogue && (
        <FaultForm fault={fault} service={fault.service} ttl={catalogue.ttl} type={type} />
      )}
    </div>
  );
}

/** The share of calls that are hit, changed when the hand lets go. */
function Strength({ fault }: { fault: ObservedFault }) {
  const [draft, setDraft] = useState<number | null>(null);
  const ratio = draft ?? fault.ratio;
  const commit = () => {
    if (draft !== null && draft !== fault.ratio)
      void changeFault(fault, { ratio: draft }).finally(() => setDraft(null));
    else setDraft(null);
  };
  return (
    <label className="flex min-w-28 flex-1 items-center gap-1.5">
      <span className="sr-only">Share of calls hit</span>
      <input
        aria-valuetext={percent(ratio)}
        className="h-4 min-w-0 flex-1 accent-injected-ink"
        max={1}
        min={0.05}
        onChange={(event) => setDraft(event.target.valueAsNumber)}
        onKeyUp={commit}
        onPointerUp={commit}
        step={0.05}
        title="Strength: share of calls hit"
        type="range"
        value={ratio}
      />
      <span className="w-11 text-right whitespace-nowrap">{percent(ratio)}</span>
    </label>
  );
}
