import type { ModeStatus, State } from '#lib/protocol/state.ts';
import { faultsOn } from '../services/service-view.ts';
import { PROCESS_LOOK } from './ProcessStrip.tsx';

/** Why the mode cannot be known: what the supervisor says of the pipeline's process, ours or not. */
export function silentPipeline({
  supervisor,
  faults,
}: Pick<State, 'supervisor' | 'faults'>): ModeStatus['causes'][number] {
  const phase = supervisor?.processes.find(({ name }) => name === 'pipeline')?.state ?? 'up';
  const runs = phase === 'up' || phase === 'external';
  const ours = phase === 'held' || phase === 'paused' || faultsOn('pipeline', faults).length > 0;
  return {
    service: 'pipeline',
    origin: ours ? 'injected' : 'organic',
    text: runs ? 'pipeline does not report' : `pipeline is ${PROCESS_LOOK[phase].word}`,
  };
}
