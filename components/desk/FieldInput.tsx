'use client';

import type { FormField } from './form-fields.ts';

/** The control of one parameter. */
export function FieldInput({
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
                required
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
            className="size-4 accent-injected-ink"
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
                  className="accent-injected-ink"
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
      className="mt-1 block h-4 w-full accent-injected-ink"
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
        className="mt-1 block h-4 w-full accent-injected-ink"
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
