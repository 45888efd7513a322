import { create } from 'zustand';
import { type LiveState, liveState, NO_DATA_MS, STALE_MS, useConnection } from './connection-store.ts';

/**
 * Whether the picture is live, judged when something comes and when something that should have come did not: nobody has
 * to look at the clock for it, and STALE is on the screen in time.
 */
export const useLiveness = create<{ live: LiveState }>(() => ({ live: 'connecting' }));

let timer: ReturnType<typeof setTimeout> | undefined;

function judge(): void {
  clearTimeout(timer);
  const connection = useConnection.getState();
  const nowMs = performance.now();
  const live = liveState(connection, nowMs);
  if (live !== useLiveness.getState().live) useLiveness.setState({ live });
  if (connection.tickAt === null) return;
  const ageMs = nowMs - connection.tickAt;
  const nextMs = [STALE_MS, NO_DATA_MS].find((limitMs) => ageMs <= limitMs);
  if (nextMs !== undefined) timer = setTimeout(judge, Math.ceil(nextMs - ageMs) + 1);
}

useConnection.subscribe(judge);
