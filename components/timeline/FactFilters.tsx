'use client';

import type { ReactNode } from 'react';
import { FACT_FILTER_NONE, FACT_SERVICES, FACT_TYPES } from '#lib/protocol/fact-filter.ts';
import { setFilter, useFactFilter } from './fact-filter-store.ts';
import { typeWords } from './fact-selection.ts';

/** By type, service and fault; together they narrow. */
export function FactFilters({ faults }: { faults: readonly { id: string; words: string }[] }) {
  const filter = useFactFilter((store) => store.filter);
  const { types, services, faultId } = filter;
  const none = types.length === 0 && services.length === 0 && faultId === null;
  return (
    <div className="grid grid-cols-2 gap-1.5">
      <Choice
        all="All types"
        label="Type of fact"
        onChoose={(value) => setFilter({ types: FACT_TYPES.filter((each) => each === value) })}
        testId="filter-type"
        value={types[0] ?? ''}
      >
        {FACT_TYPES.map((type) => (
          <option key={type} value={type}>
            {typeWords(type)}
          </option>
        ))}
      </Choice>
      <Choice
        all="All services"
        label="Service"
        onChoose={(value) => setFilter({ services: FACT_SERVICES.filter((each) => each === value) })}
        testId="filter-service"
        value={services[0] ?? ''}
      >
        {FACT_SERVICES.map((service) => (
          <option key={service}>{service}</option>
        ))}
      </Choice>
      <Choice
        all="All faults"
        label="Fault"
        onChoose={(value) => setFilter({ faultId: value || null })}
        testId="filter-fault"
        value={faultId ?? ''}
      >
        {faultId !== null && !faults.some((fault) => fault.id === faultId) && (
          <option value={faultId}>{faultId}</option>
        )}
        {faults.map((fault) => (
          <option key={fault.id} value={fault.id}>
            {fault.words}
          </option>
        ))}
      </Choice>
      <button
        className="small-button justify-center"
        data-testid="filter-clear"
        disabled={none}
        onClick={() => setFilter(FACT_FILTER_NONE)}
        type="button"
      >
        Show all
      </button>
    </div>
  );
}

interface ChoiceProps {
  label: string;
  all: string;
  value: string;
  testId: string;
  onChoose: (value: string) => void;
  children: ReactNode;
}

function Choice({ label, all, value, testId, onChoose, children }: ChoiceProps) {
  return (
    <select
      aria-label={label}
      className="field min-w-0"
      data-testid={testId}
      onChange={(event) => onChoose(event.target.value)}
      value={value}
    >
      <option value="">{all}</option>
      {children}
    </select>
  );
}
