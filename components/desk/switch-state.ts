import type { Catalogue, Fault } from '#lib/protocol/faults.ts';

/** What a switch shows: the observed state, or a command on its way. */
export type SwitchState = 'off' | 'arming' | 'on' | 'clearing';

export function switchState(on: boolean, pending: 'arming' | 'clearing' | undefined): SwitchState {
  if (pending === 'arming' && !on) return 'arming';
  if (pending === 'clearing' && on) return 'clearing';
  return on ? 'on' : 'off';
}

type Preset = Catalogue['presets'][number];

/**
 * The active faults of a preset when all of them are in force as it says: either it started them, or they have its
 * parameters and share. Undefined otherwise: another strength of the same type is not this preset.
 */
export function presetFaults<F extends Fault>(
  preset: Preset,
  active: readonly F[],
  catalogue: Catalogue,
): F[] | undefined {
  const found: F[] = [];
  for (const wanted of preset.faults) {
    const fault = active.find((each) => each.service === wanted.service && each.type === wanted.type);
    if (!fault) return undefined;
    if (fault.preset !== preset.name) {
      const declared = catalogue.types.find((type) => type.type === wanted.type);
      const ratio = wanted.ratio ?? declared?.defaultRatio ?? 1;
      const sameParams = Object.entries(wanted.params ?? {}).every(
        ([name, value]) => JSON.stringify(fault.params[name]) === JSON.stringify(value),
      );
      if (fault.ratio !== ratio || !sameParams) return undefined;
    }
    found.push(fault);
  }
  return found;
}

/** The service a preset belongs to, or undefined when it breaks several. */
export function presetService(preset: Preset): string | undefined {
  const services = new Set(preset.faults.map((fault) => fault.service));
  return services.size === 1 ? preset.faults[0]?.service : undefined;
}
