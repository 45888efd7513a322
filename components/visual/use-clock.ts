import { useEffect, useSyncExternalStore } from 'react';
import { inQuietFrame } from '../live/next-frame.ts';

/** One timer for all durations on the page: a reading every 250 ms, on the monotonic clock. */
let nowMs = 0;
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (!timer) {
    nowMs = performance.now();
    timer = setInterval(() => inQuietFrame(tell), 250);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

function tell(): void {
  nowMs = performance.now();
  for (const each of listeners) each();
}

/** performance.now() rounded down to `stepMs`, so that a component renders only when its text can change. */
export function useClock(stepMs: 250 | 500 | 1_000): number {
  return useSyncExternalStore(
    subscribe,
    () => Math.floor(nowMs / stepMs) * stepMs,
    () => 0,
  );
}

/** Calls a handler for keys pressed anywhere on the page, for as long as the component is there. */
export function useKeys(handler: (event: KeyboardEvent) => void): void {
  useEffect(() => {
    window.addEventListener('keydown', handler);
    return () => window.removeEventListener('keydown', handler);
  }, [handler]);
}
