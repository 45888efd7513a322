'use client';

import { useMemo, useState } from 'react';
import type { Catalogue } from '#lib/protocol/faults.ts';
import type { ObservedFault } from '../stores/faults-store.ts';
import { percent, spokenDuration } from '../visual/quantity.ts';
import { FieldInput, Slider } from './FieldInput.tsx';
import { changeFault, startFault } from './fault-commands.ts';
import {
  changeRequest,
  type DraftEdits,
  draftOf,
  editedDraft,
  fieldsFor,
  fittingModifiers,
  startRequest,
} from './fault-draft.ts';
import { formFields } from './form-fields.ts';
import { ModifierInputs } from './ModifierInputs.tsx';

interface FaultFormProps {
  service: string;
  type: Catalogue['types'][number];
  ttl: Catalogue['ttl'];
  /** The fault in force that is to be changed; without one the form starts it. */
  fault?: ObservedFault | undefined;
}

/** All of a fault: its parameters from the catalogue's schema, then every modifier that makes sense for it, life and seed. */
export function FaultForm({ service, type, ttl, fault }: FaultFormProps) {
  const fields = useMemo(() => fieldsFor(formFields(type.params), service), [type, service]);
  const fitting = useMemo(() => fittingModifiers(type, service), [type, service]);
  const [edits, setEdits] = useState<DraftEdits>({});
  const edit = (more: DraftEdits) => setEdits((current) => ({ ...current, ...more }));
  const draft = editedDraft(draftOf(type, fields, ttl, fault), edits);
  const change = fault && changeRequest(fault, fields, draft, { extend: edits.ttlMs !== undefined });
  const submit = async () => {
    if (!fault || !change) await startFault(startRequest(service, type, fields, draft));
    else if (await changeFault(fault, change)) setEdits({});
  };
  return (
    <form
      className="mx-1 my-1 space-y-2 rounded-md border border-line bg-ground p-2"
      data-testid={`fault-form-${service}-${type.type}`}
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <p className="text-[12px] text-muted">{type.description}</p>
      {fields.map((field) => (
        <FieldInput
          field={field}
          key={field.name}
          onChange={(value) => edit({ params: { ...edits.params, [field.name]: value } })}
          value={draft.params[field.name]}
        />
      ))}
      {fitting.names.includes('ratio') && (
        <Slider
          label="Share of calls hit"
          max={1}
          min={0.01}
          onChange={(ratio) => edit({ ratio })}
          shown={percent(draft.ratio)}
          step={0.01}
          value={draft.ratio}
        />
      )}
      <Slider
        label={fault ? 'Full time, from now' : 'Ends by itself after'}
        max={ttl.maxMs}
        min={Math.max(ttl.minMs, 5_000)}
        onChange={(ttlMs) => edit({ ttlMs })}
        shown={spokenDuration(draft.ttlMs)}
        step={5_000}
        value={draft.ttlMs}
      />
      <label className="flex items-center justify-between gap-2 text-[12px] text-muted">
        {fault ? 'Seed (chosen at its start)' : 'Seed (to repeat a run)'}
        <input
          className="field w-28 text-right"
          data-testid="fault-seed"
          inputMode="numeric"
          max={0xffff_ffff}
          min={0}
          onChange={(event) => edit({ seed: event.target.value })}
          placeholder="from the run"
          readOnly={fault !== undefined}
          step={1}
          type="number"
          value={draft.seed}
        />
      </label>
      <ModifierInputs
        draft={draft}
        fitting={fitting}
        service={service}
        onMatch={(kind, text) => edit({ match: { ...edits.match, [kind]: text } })}
        onTurn={(name, text) => edit({ turns: { ...edits.turns, [name]: text } })}
      />
      {type.promises
        .filter((promise) => promise.service === service)
        .map((promise) => (
          <p className="border-l-2 border-line-strong pl-2 text-[12px] text-muted" key={promise.text}>
            Must happen: {promise.text}
          </p>
        ))}
      <button
        className="small-button w-full justify-center border-injected! font-semibold!"
        data-testid={`fault-${fault ? 'change' : 'start'}-${service}-${type.type}`}
        disabled={change !== undefined && Object.keys(change).length === 0}
        type="submit"
      >
        {fault ? 'Change it' : 'Start with these'}
      </button>
    </form>
  );
}
