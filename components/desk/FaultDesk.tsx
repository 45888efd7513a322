'use client';

import { useMemo } from 'react';
import type { Catalogue } from '#lib/protocol/faults.ts';
import { loadCatalogue, useCatalogue } from '../stores/catalogue-store.ts';
import { useFaults } from '../stores/faults-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { useLive } from '../use-live.ts';
import { DeskGroup } from './DeskGroup.tsx';
import { PresetSwitch } from './PresetSwitch.tsx';
import { presetService } from './switch-state.ts';

/** Where faults are switched: compound presets, then each service with its presets and all its types. */
export function FaultDesk() {
  const { phase, catalogue, error } = useCatalogue();
  const live = useLive();
  const old = live === 'stale' || live === 'no-data';
  const seed = useSystem((store) => store.state?.seed);
  const refusal = useFaults((store) => (store.refusal?.key === 'halt' ? store.refusal.text : null));
  return (
    <section aria-label="Fault desk" className="panel flex min-h-0 flex-col" data-in="faults">
      <h2 className="panel-title flex justify-between gap-2 border-b border-line px-3 py-2">
        Fault desk
        {old && <span className="tracking-normal text-ink normal-case">when last heard</span>}
        {seed !== undefined && !old && (
          <span
            className="font-normal tracking-normal normal-case select-all"
            data-testid="run-seed"
            title="Seed of this run (FAULT_SEED): faults that are given none get theirs from it"
          >
            seed {seed}
          </span>
        )}
      </h2>
      {refusal && (
        <p
          className="border-b border-line px-3 py-1.5 font-semibold text-loss-ink"
          data-testid="fault-refusal"
          role="alert"
        >
          {refusal}
        </p>
      )}
      <div className="min-h-0 flex-1 space-y-1 overflow-y-auto p-1.5">
        {phase === 'loading' && <DeskSkeleton />}
        {phase === 'failed' && (
          <div className="space-y-2 p-2 text-muted">
            <p>The fault catalogue could not be loaded: {error}</p>
            <button className="small-button" onClick={() => void loadCatalogue()} type="button">
              Try again
            </button>
          </div>
        )}
        {catalogue && <Groups catalogue={catalogue} />}
      </div>
    </section>
  );
}

function Groups({ catalogue }: { catalogue: Catalogue }) {
  const grouped = useMemo(() => {
    const compound = catalogue.presets.filter((preset) => presetService(preset) === undefined);
    const services = catalogue.services.map((service) => ({
      service,
      presets: catalogue.presets.filter((preset) => presetService(preset) === service.name),
      types: service.types.flatMap((name) => catalogue.types.find((type) => type.type === name) ?? []),
    }));
    return { compound, services };
  }, [catalogue]);
  return (
    <>
      {grouped.services.map(({ service, presets, types }) => (
        <DeskGroup
          catalogue={catalogue}
          key={service.name}
          presets={presets}
          service={service}
          types={types}
        />
      ))}
      {grouped.compound.length > 0 && (
        <div className="border-t border-line pt-1.5">
          <h3 className="px-2 pb-0.5 text-[12px] font-semibold text-muted">Several at once</h3>
          <ul>
            {grouped.compound.map((preset) => (
              <PresetSwitch catalogue={catalogue} key={preset.name} preset={preset} />
            ))}
          </ul>
        </div>
      )}
    </>
  );
}

function DeskSkeleton() {
  return (
    <ul aria-label="Loading the fault catalogue" className="space-y-1.5 p-1">
      {Array.from({ length: 14 }, (_, row) => `row-${row}`).map((row) => (
        <li className="h-6 rounded bg-raised" key={row} />
      ))}
    </ul>
  );
}
