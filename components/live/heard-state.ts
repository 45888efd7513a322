import { applyChange } from '#lib/protocol/change.ts';
import type { StateUpdate } from '#lib/protocol/events.ts';
import type { State } from '#lib/protocol/state.ts';

let heard: { n: number; state: State } | null = null;

/** The whole state after an update; null when the one before it is not here, so that it must be asked for whole. */
export function hearState(update: StateUpdate): State | null {
  if ('whole' in update) heard = { n: update.n, state: update.whole };
  else if (heard?.n !== update.n - 1) heard = null;
  else heard = { n: update.n, state: applyChange(heard.state, update.change) as State };
  return heard?.state ?? null;
}

/** Of a new connection, or another server, the numbers mean nothing here. */
export function forgetState(): void {
  heard = null;
}
