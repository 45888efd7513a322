'use client';

import { ChevronDown, ChevronRight, SlidersHorizontal } from 'lucide-react';
import dynamic from 'next/dynamic';
import { useState } from 'react';
import type { Catalogue } from '#lib/protocol/faults.ts';
import { fetchPart } from '../fetch-part.ts';
import { faultKey, useFaults } from '../stores/faults-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import { FaultSwitch } from './FaultSwitch.tsx';
import { startFault, stopFaults } from './fault-commands.ts';
import { PresetSwitch } from './PresetSwitch.tsx';

const FaultForm = dynamic(
  () => fetchPart(() => import('./FaultForm.tsx')).then((module) => module.FaultForm),
  { ssr: false },
);

interface DeskGroupProps {
  service: Catalogue['services'][number];
  presets: Catalogue['presets'];
  types: Catalogue['types'];
  catalogue: Catalogue;
}

/** One service: its presets at hand, all of its fault types one press away. */
export function DeskGroup({ service, presets, types, catalogue }: DeskGroupProps) {
  const [open, setOpen] = useState(false);
  const on = useFaults(
    (store) => store.faults?.filter((fault) => fault.service === service.name).length ?? 0,
  );
  const health = useSystem((store) =>
    store.state?.pipeline?.services.find((each) => each.name === service.name),
  );
  return (
    <div>
      <button
        aria-expanded={open}
        className="flex min-h-7 w-full items-center gap-1.5 rounded-md px-1 text-left hover:bg-raised"
        data-open={open}
        data-testid={`desk-group-${service.name}`}
        onClick={() => setOpen(!open)}
        title={service.description}
        type="button"
      >
        {open ? (
          <ChevronDown aria-hidden="true" className="text-muted" size={14} />
        ) : (
          <ChevronRight aria-hidden="true" className="text-muted" size={14} />
        )}
        <span className="flex-1 text-[12px] font-semibold text-ink">{service.title}</span>
        {health && !health.healthy && (
          <span className="inline-flex items-center gap-1 text-[10px] font-bold text-open-ink">
            <StatusMark size={9} status="open" /> DOWN
          </span>
        )}
        {on > 0 && (
          <span className="inline-flex items-center gap-1 text-[11px] font-semibold text-injected-ink">
            <StatusMark size={10} status="injected" /> {on} on
          </span>
        )}
        <span className="text-[11px] text-faint">{types.length} types</span>
      </button>
      {presets.length > 0 && (
        <ul aria-label={`Presets of ${service.title}`} className="pl-3">
          {presets.map((preset) => (
            <PresetSwitch catalogue={catalogue} key={preset.name} preset={preset} />
          ))}
        </ul>
      )}
      {open && (
        <ul
          aria-label={`All fault types of ${service.title}`}
          className="my-1 ml-3 rounded-md border border-line bg-raised/40"
        >
          <li
            aria-hidden="true"
            className="px-2 pt-1 text-[10px] font-semibold tracking-wide text-muted uppercase"
          >
            All types, with parameters
          </li>
          {types.map((type) => (
            <TypeSwitch catalogue={catalogue} key={type.type} service={service.name} type={type} />
          ))}
        </ul>
      )}
    </div>
  );
}

function TypeSwitch({
  service,
  type,
  catalogue,
}: {
  service: DeskGroupProps['service']['name'];
  type: Catalogue['types'][number];
  catalogue: Catalogue;
}) {
  const [form, setForm] = useState(false);
  const fault = useFaults((store) =>
    store.faults?.find((each) => each.service === service && each.type === type.type),
  );
  const key = faultKey(service, type.type);
  return (
    <>
      <FaultSwitch
        active={fault ? [fault] : []}
        description={type.description}
        label={type.title}
        onStart={() => void startFault({ service, type: type.type })}
        onStop={() => fault && void stopFaults([fault.id], key)}
        pendingKey={key}
        testId={`fault-switch-${service}-${type.type}`}
      >
        <button
          aria-expanded={form}
          aria-label={`Parameters of ${type.title}`}
          className="grid size-7 shrink-0 place-content-center rounded-md text-muted hover:text-ink"
          data-testid={`fault-form-open-${service}-${type.type}`}
          onClick={() => setForm(!form)}
          title="Parameters"
          type="button"
        >
          <SlidersHorizontal aria-hidden="true" size={13} />
        </button>
      </FaultSwitch>
      {form && (
        <li>
          <FaultForm
            fault={fault}
            key={fault?.id ?? 'off'}
            service={service}
            ttl={catalogue.ttl}
            type={type}
          />
        </li>
      )}
    </>
  );
}
