import { useConnection } from '../stores/connection-store.ts';
import { useLiveness } from '../stores/liveness-store.ts';
import { serverNow, useSystem } from '../stores/state-store.ts';

/** From where on the picture is not known, epoch ms; null: it is known until its end. */
export interface Unheard {
  /** Nothing at all: the stream has stopped. */
  all: number | null;
  /** Mode and breakers: the pipeline is silent. */
  pipeline: number | null;
}

/** What was last heard is not drawn on as if it still held. `toAt` is the end of the picture. */
export function unheardFrom(toAt: number): Unheard {
  const { tickAt } = useConnection.getState();
  const { live } = useLiveness.getState();
  const { state } = useSystem.getState();
  const stopped = (live === 'stale' || live === 'no-data') && tickAt !== null;
  const all = stopped ? serverNow() - (performance.now() - tickAt) : null;
  const report = state?.mode === null ? state.pipeline : null;
  const pipeline = report ? serverNow() - report.ageMs : null;
  const within = (at: number | null) => (at !== null && at < toAt ? at : null);
  return { all: within(all), pipeline: within(pipeline) };
}
