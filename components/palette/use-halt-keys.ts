import { useCallback, useRef } from 'react';
import { haltAll } from '../halt-command.ts';
import { useKeys } from '../visual/use-clock.ts';

/** Two presses of Escape within this time halt. */
const DOUBLE_MS = 600;

/** Escape Escape, or ⌘/Ctrl Shift X: everything stops, from any page. */
export function useHaltKeys(): void {
  const escapeMs = useRef(Number.NEGATIVE_INFINITY);
  useKeys(
    useCallback((event: KeyboardEvent) => {
      if (event.key === 'Escape' && !event.repeat) {
        const nowMs = performance.now();
        const twice = nowMs - escapeMs.current < DOUBLE_MS;
        escapeMs.current = twice ? Number.NEGATIVE_INFINITY : nowMs;
        if (twice) void haltAll();
        return;
      }
      if (!(event.metaKey || event.ctrlKey) || !event.shiftKey || event.key.toLowerCase() !== 'x') return;
      event.preventDefault();
      void haltAll();
    }, []),
  );
}
