'use client';

import { useMemo } from 'react';
import type { Catalogue } from '#lib/protocol/faults.ts';
import { useFaults } from '../stores/faults-store.ts';
import { FaultSwitch } from './FaultSwitch.tsx';
import { startPreset, stopFaults } from './fault-commands.ts';
import { presetFaults } from './switch-state.ts';

/** A preset of the seed; on while all of its faults are in force as it says. */
export function PresetSwitch({
  preset,
  catalogue,
}: {
  preset: Catalogue['presets'][number];
  catalogue: Catalogue;
}) {
  const faults = useFaults((store) => store.faults);
  const active = useMemo(
    () => presetFaults(preset, faults ?? [], catalogue) ?? [],
    [preset, faults, catalogue],
  );
  return (
    <FaultSwitch
      active={active}
      description={preset.description}
      label={preset.title}
      onStart={() => void startPreset(preset.name)}
      onStop={() =>
        void stopFaults(
          active.map((fault) => fault.id),
          preset.name,
        )
      }
      pendingKey={preset.name}
      testId={`preset-${preset.name}`}
    />
  );
}
