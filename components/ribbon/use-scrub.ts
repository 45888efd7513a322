import { type PointerEvent, useRef } from 'react';
import { scrubTo } from '../history/time-travel.ts';
import { useView } from '../stores/view-store.ts';

/** A press that moves less than this is a press, not a drag, px. */
const DRAG_PX = 4;

interface Span {
  fromAt: number;
  toAt: number;
}

interface Drag extends Span {
  x: number;
  atPerPx: number;
  moved: boolean;
}

/** The pointer on a time axis: hovering moves the cursor, dragging moves the window, a press marks a moment. */
export function useScrub(
  span: Span | null,
  { left, right, enabled }: { left: number; right: number; enabled: boolean },
) {
  const drag = useRef<Drag | null>(null);
  const atOf = (event: PointerEvent<HTMLElement>): { at: number | null; atPerPx: number } => {
    if (!span) return { at: null, atPerPx: 0 };
    const box = event.currentTarget.getBoundingClientRect();
    const width = Math.max(1, box.width - left - right);
    const share = (event.clientX - box.left - left) / width;
    const length = span.toAt - span.fromAt;
    return { at: share >= 0 && share <= 1 ? span.fromAt + share * length : null, atPerPx: length / width };
  };
  return {
    onPointerDown(event: PointerEvent<HTMLElement>) {
      const { at, atPerPx } = atOf(event);
      if (!enabled || !span || at === null || event.button !== 0) return;
      drag.current = { ...span, x: event.clientX, atPerPx, moved: false };
      event.currentTarget.setPointerCapture(event.pointerId);
    },
    onPointerMove(event: PointerEvent<HTMLElement>) {
      const held = drag.current;
      if (!held) {
        useView.setState({ cursorAt: atOf(event).at });
        return;
      }
      const movedPx = event.clientX - held.x;
      if (!held.moved && Math.abs(movedPx) < DRAG_PX) return;
      held.moved = true;
      scrubTo(held.toAt - movedPx * held.atPerPx);
    },
    onPointerUp(event: PointerEvent<HTMLElement>) {
      const held = drag.current;
      drag.current = null;
      if (held && !held.moved) useView.setState({ markAt: atOf(event).at });
    },
    onPointerCancel() {
      drag.current = null;
    },
    onPointerLeave() {
      useView.setState({ cursorAt: null });
    },
  };
}
