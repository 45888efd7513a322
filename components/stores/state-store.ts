import { create } from 'zustand';
import type { Fact } from '#lib/protocol/facts.ts';
import type { State } from '#lib/protocol/state.ts';
import { applyFact } from '../apply-fact.ts';
import { inFrameAfter } from '../live/next-frame.ts';
import { structuralShare } from '../structural-share.ts';

interface StateStore {
  state: State | null;
  /** Clock of the control process minus ours, ms. Every time on screen is on the server's clock. */
  serverOffsetMs: number;
}

export const useSystem = create<StateStore>(() => ({ state: null, serverOffsetMs: 0 }));

/**
 * The state for tiles, path and pictures: at once what a fact has changed, and a frame later than mode, answers and
 * switches what telemetry brings. All of it in one frame is a frame too long.
 */
export const useDetail = create<Pick<StateStore, 'state'>>(() => ({ state: null }));

function showDetail(): void {
  useDetail.setState({ state: useSystem.getState().state });
}

/** Takes a state in; of `newestFacts` it may lack some. */
export function takeState(state: State, newestFacts: readonly Fact[]): void {
  const current = newestFacts.reduce(applyFact, state);
  useSystem.setState((store) => ({ state: structuralShare(store.state, current) }));
  inFrameAfter(showDetail);
}

/** Shows a transition at once. */
export function takeTransition(fact: Fact): void {
  useSystem.setState(({ state }) => (state ? { state: applyFact(state, fact) } : {}));
  showDetail();
}

/**
 * The smallest delay seen gives the best estimate of the offset; a jump of over a second means that one of the two
 * clocks was set, so the estimate starts over.
 */
export function takeServerTime(serverAt: number): void {
  const offset = serverAt - Date.now();
  useSystem.setState((store) => {
    const jumped = store.serverOffsetMs === 0 || Math.abs(offset - store.serverOffsetMs) > 1_000;
    return offset > store.serverOffsetMs || jumped ? { serverOffsetMs: offset } : store;
  });
}

/** Now on the server's clock, epoch ms. */
export function serverNow(): number {
  return Date.now() + useSystem.getState().serverOffsetMs;
}
