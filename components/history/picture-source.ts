import type { Fact } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import type { BreakerState, Mode } from '#lib/protocol/state.ts';
import { buffers } from '../live/series-buffers.ts';
import { SeriesRing } from '../live/series-ring.ts';
import { useFacts } from '../stores/facts-store.ts';
import { useFaults } from '../stores/faults-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { liveCovers, pastCovering, useHistory } from './history-store.ts';

/** What a picture of a stretch of time is drawn from. */
export interface PictureSource {
  ring: SeriesRing;
  facts: readonly Fact[];
  /** Faults in force at its start that its facts may not tell of, and those in force now. */
  faults: readonly Fault[];
  /** What held when no fact of the window changes it; null: not known. */
  mode: Mode | null;
  breakers: ReadonlyMap<string, BreakerState>;
}

const NOTHING: PictureSource = {
  ring: new SeriesRing({ stepMs: 1_000, capacity: 2 }),
  facts: [],
  faults: [],
  mode: null,
  breakers: new Map(),
};

/**
 * The live buffers as long as the window ends now or they reach back to its start; otherwise the loaded past. Of a
 * past that is still to come there is nothing: the present must not be drawn in its place.
 */
export function pictureSource(fromAt: number, toAt: number): PictureSource {
  if (useView.getState().frozenAt === null || liveCovers(fromAt)) return liveSource();
  const past = pastCovering(fromAt, toAt);
  if (!past) return useHistory.getState().liveFrom === null ? liveSource() : NOTHING;
  const { ring, facts, standing } = past;
  const breakers = new Map(standing.breakers.map(({ name, state }) => [name, state]));
  return { ring, facts, faults: standing.faults, mode: standing.mode, breakers };
}

function liveSource(): PictureSource {
  const { state } = useSystem.getState();
  return {
    ring: buffers,
    facts: useFacts.getState().facts,
    faults: [...(useHistory.getState().liveStanding?.faults ?? []), ...(useFaults.getState().faults ?? [])],
    mode: state?.mode ?? null,
    breakers: new Map(state?.pipeline?.breakers.map((breaker) => [breaker.name, breaker.state])),
  };
}
