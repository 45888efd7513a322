'use client';

import { useMemo, useState } from 'react';
import type { Catalogue, StartFault } from '#lib/protocol/faults.ts';
import { percent, spokenDuration } from '../visual/quantity.ts';
import { changedValues, type FormField, formFields, initialValues } from './form-fields.ts';

interface FaultFormProps {
  service: string;
  type: Catalogue['types'][number];
  ttl: Catalogue['ttl'];
  onStart: (request: StartFault) => void;
}

/** All of a fault: its parameters from the catalogue's schema, then share of calls, life and seed. */
export function FaultForm({ service, type, ttl, onStart }: FaultFormProps) {
  const fields = useMemo(
    () => formFields(type.params).filter((field) => field.name !== 'services' || service === 'network'),
    [type, service],
  );
  const [values, setValues] = useState(() => initialValues(fields));
  const [ratio, setRatio] = useState(type.defaultRatio);
  const [ttlMs, setTtlMs] = useState(ttl.defaultMs);
  const [seed, setSeed] = useState('');
  const [modifiers, setModifiers] = useState<Modifiers>({});
  const promises = type.promises.filter((promise) => promise.service === service);
  const submit = () => {
    const params = changedValues(fields, values);
    onStart({
      service,
      type: type.type,
      ratio,
      ttlMs,
      ...(Object.keys(params).length > 0 ? { params } : {}),
      ...(seed.trim() !== '' ? { seed: Number(seed) } : {}),
      ...chosenModifiers(modifiers),
    });
  };
  return (
    <form
      className="mx-1 my-1 space-y-2 rounded-md border border-line bg-ground p-2"
      data-testid={`fault-form-${service}-${type.type}`}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <p className="text-[12px] text-muted">{type.description}</p>
      {fields.map((field) => (
        <Field
          field={field}
          key={field.name}
          onChange={(value) => setValues((current) => ({ ...current, [field.name]: value }))}
          value={values[field.name]}
        />
      ))}
      <Slider
        label="Share of calls hit"
        max={1}
        min={0.01}
        onChange={setRatio}
        shown={percent(ratio)}
        step={0.01}
        value={ratio}
      />
      <Slider
        label="Ends by itself after"
        max={Math.min(ttl.maxMs, 900_000)}
        min={Math.max(ttl.minMs, 5_000)}
        onChange={setTtlMs}
        shown={spokenDuration(ttlMs)}
        step={5_000}
        value={ttlMs}
      />
      <label className="flex items-center justify-between gap-2 text-[12px] text-muted">
        Seed (to repeat a run)
        <input
          className="field w-28 text-right"
          inputMode="numeric"
          max={0xffff_ffff}
          min={0}
          onChange={(event) => setSeed(event.target.value)}
          placeholder="random"
          type="number"
          value={seed}
        />
      </label>
      {type.modifiers.length > 0 && (
        <details className="text-[12px] text-muted">
          <summary className="cursor-pointer">In turns, first calls, ramp</summary>
          <div className="mt-1 space-y-1">
            {MODIFIER_INPUTS.filter(({ modifier }) => type.modifiers.includes(modifier)).map((input) => (
              <ModifierInput
                input={input}
                key={input.name}
                onChange={(value) => setModifiers((current) => ({ ...current, [input.name]: value }))}
                required={input.modifier === 'pulse' && (!!modifiers.activeMs || !!modifiers.dormantMs)}
                value={modifiers[input.name] ?? ''}
              />
            ))}
          </div>
        </details>
      )}
      {promises.map((promise) => (
        <p className="border-l-2 border-line-strong pl-2 text-[12px] text-muted" key={promise.text}>
          Must happen: {promise.text}
        </p>
      ))}
      <button
        className="small-button w-full justify-center border-injected! font-semibold!"
        data-testid={`fault-start-${service}-${type.type}`}
        type="submit"
      >
        Start with these
      </button>
    </form>
  );
}

type ModifierName = 'activeMs' | 'dormantMs' | 'failFirst' | 'rampMs';
/** As typed; empty is off. */
type Modifiers = Partial<Record<ModifierName, string>>;

interface ModifierField {
  name: ModifierName;
  modifier: Catalogue['types'][number]['modifiers'][number];
  title: string;
  unit: string;
  min: number;
  max: number;
}

const MODIFIER_INPUTS: readonly ModifierField[] = [
  { name: 'activeMs', modifier: 'pulse', title: 'Acts for', unit: 'ms', min: 100, max: 600_000 },
  { name: 'dormantMs', modifier: 'pulse', title: 'Then rests for', unit: 'ms', min: 100, max: 600_000 },
  {
    name: 'failFirst',
    modifier: 'failFirst',
    title: 'Only the first',
    unit: 'calls',
    min: 1,
    max: 1_000_000,
  },
  { name: 'rampMs', modifier: 'rampMs', title: 'Grows to full in', unit: 'ms', min: 100, max: 900_000 },
];

function chosenModifiers({ activeMs, dormantMs, failFirst, rampMs }: Modifiers): Partial<StartFault> {
  return {
    ...(activeMs && dormantMs && { pulse: { activeMs: Number(activeMs), dormantMs: Number(dormantMs) } }),
    ...(failFirst && { failFirst: Number(failFirst) }),
    ...(rampMs && { rampMs: Number(rampMs) }),
  };
}

function ModifierInput({
  input,
  value,
  required,
  onChange,
}: {
  input: ModifierField;
  value: string;
  required: boolean;
  onChange: (value: string) => void;
}) {
  return (
    <label className="flex items-center justify-between gap-2">
      {input.title}
      <span className="inline-flex items-center gap-1">
        <input
          aria-label={`${input.title} in ${input.unit}`}
          className="field w-24 text-right"
          max={input.max}
          min={input.min}
          onChange={(event) => onChange(event.target.value)}
          placeholder="off"
          required={required}
          step={1}
          type="number"
          value={value}
        />
        <span className="w-9">{input.unit}</span>
      </span>
    </label>
  );
}

function Field({
  field,
  value,
  onChange,
}: {
  field: FormField;
  value: unknown;
  onChange: (value: unknown) => void;
}) {
  switch (field.kind) {
    case 'number': {
      const current = typeof value === 'number' ? value : field.default;
      return (
        <label className="block text-[12px] text-muted" title={field.description}>
          <span className="flex items-center justify-between gap-2">
            {field.title}
            <span className="inline-flex items-center gap-1 text-ink">
              <input
                aria-label={`${field.title}${field.unit ? ` in ${field.unit}` : ''}`}
                className="field w-24 text-right"
                max={field.max}
                min={field.min}
                onChange={(event) => onChange(event.target.valueAsNumber)}
                step={field.step}
                type="number"
                value={Number.isNaN(current) ? '' : current}
              />
              {field.unit && field.unit !== 'ratio' && <span className="w-9 text-muted">{field.unit}</span>}
            </span>
          </span>
          <LogSlider field={field} onChange={onChange} value={Number.isNaN(current) ? field.min : current} />
        </label>
      );
    }
    case 'choice':
      return (
        <label
          className="flex items-center justify-between gap-2 text-[12px] text-muted"
          title={field.description}
        >
          {field.title}
          <select className="field" onChange={(event) => onChange(event.target.value)} value={String(value)}>
            {field.options.map((option) => (
              <option key={option} value={option}>
                {option.replaceAll('_', ' ')}
              </option>
            ))}
          </select>
        </label>
      );
    case 'switch':
      return (
        <label
          className="flex min-h-6 items-center justify-between gap-2 text-[12px] text-muted"
          title={field.description}
        >
          {field.title}
          <input
            checked={value === true}
            className="size-4 accent-injected"
            onChange={(event) => onChange(event.target.checked)}
            type="checkbox"
          />
        </label>
      );
    case 'text':
      return (
        <label
          className="flex items-center justify-between gap-2 text-[12px] text-muted"
          title={field.description}
        >
          {field.title}
          <input
            className="field w-28 text-right"
            maxLength={field.maxLength}
            onChange={(event) => onChange(event.target.value)}
            pattern={field.pattern}
            type="text"
            value={String(value ?? '')}
          />
        </label>
      );
    case 'many': {
      const chosen = Array.isArray(value) ? (value as string[]) : [];
      return (
        <fieldset className="text-[12px] text-muted" title={field.description}>
          <legend>{field.title} (none chosen: all)</legend>
          <div className="mt-1 flex flex-wrap gap-1">
            {field.options.map((option) => (
              <label className="small-button" key={option}>
                <input
                  checked={chosen.includes(option)}
                  className="accent-injected"
                  onChange={(event) =>
                    onChange(
                      event.target.checked ? [...chosen, option] : chosen.filter((each) => each !== option),
                    )
                  }
                  type="checkbox"
                />
                {option}
              </label>
            ))}
          </div>
        </fieldset>
      );
    }
  }
}

/** Wide ranges are moved in ratios, narrow ones evenly. The number beside it is exact. */
function LogSlider({
  field,
  value,
  onChange,
}: {
  field: Extract<FormField, { kind: 'number' }>;
  value: number;
  onChange: (value: number) => void;
}) {
  const wide = field.max - field.min > 1_000;
  const span = Math.log1p(field.max - field.min);
  const position = wide
    ? Math.log1p(value - field.min) / span
    : (value - field.min) / (field.max - field.min);
  return (
    <input
      aria-hidden="true"
      className="mt-1 block h-4 w-full accent-injected"
      max={1}
      min={0}
      onChange={(event) => {
        const share = event.target.valueAsNumber;
        const raw = wide ? Math.expm1(share * span) : share * (field.max - field.min);
        const rounded = wide ? roundTwoFigures(raw) : Math.round(raw / field.step) * field.step;
        onChange(Math.min(field.max, field.min + Number(rounded.toFixed(4))));
      }}
      step={0.001}
      tabIndex={-1}
      type="range"
      value={position}
    />
  );
}

function roundTwoFigures(value: number): number {
  if (value < 1) return 0;
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return Math.round(value / unit) * unit;
}

interface SliderProps {
  label: string;
  min: number;
  max: number;
  step: number;
  value: number;
  shown: string;
  onChange: (value: number) => void;
}

export function Slider({ label, min, max, step, value, shown, onChange }: SliderProps) {
  return (
    <label className="block text-[12px] text-muted">
      <span className="flex justify-between">
        {label} <span className="font-medium text-ink">{shown}</span>
      </span>
      <input
        aria-valuetext={shown}
        className="mt-1 block h-4 w-full accent-injected"
        max={max}
        min={min}
        onChange={(event) => onChange(event.target.valueAsNumber)}
        step={step}
        type="range"
        value={value}
      />
    </label>
  );
}
