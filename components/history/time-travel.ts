import { serverNow } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { clampEnd, endAround } from './moments.ts';

/** Moves the end of the window; at the present it runs again. */
export function scrubTo(toAt: number): void {
  const { windowMs } = useView.getState();
  useView.setState({ frozenAt: clampEnd(toAt, windowMs, serverNow()) });
}

/** Moves by a share of the window; below zero is back. */
export function panBy(share: number): void {
  const { windowMs, frozenAt } = useView.getState();
  scrubTo((frozenAt ?? serverNow()) + share * windowMs);
}

/** Another length of the axis. What is marked stays in the middle, otherwise the end stays. */
export function zoomTo(windowMs: number): void {
  const { frozenAt, markAt } = useView.getState();
  const now = serverNow();
  if (frozenAt === null) useView.setState({ windowMs });
  else if (markAt !== null) useView.setState({ windowMs, frozenAt: endAround(markAt, windowMs, now) });
  else useView.setState({ windowMs, frozenAt: clampEnd(frozenAt, windowMs, now) });
}

/** Shows a moment in the middle of the window, marked. */
export function goTo(at: number): void {
  const { windowMs } = useView.getState();
  useView.setState({ markAt: at, frozenAt: endAround(at, windowMs, serverNow()) });
}

export function toLive(): void {
  useView.setState({ frozenAt: null });
}
