'use client';

import { useView } from '../stores/view-store.ts';

interface TimeMarkersProps {
  fromAt: number;
  toAt: number;
  /** Of the whole element, px. */
  width: number;
  /** From its edges to the ends of the axis, px. */
  left: number;
  right: number;
}

/** The shared cursor and the marked moment: the same in every chart and in the ribbon. */
export function TimeMarkers({ fromAt, toAt, width, left, right }: TimeMarkersProps) {
  const cursorAt = useView((view) => view.cursorAt);
  const markAt = useView((view) => view.markAt);
  const x = (at: number) => left + ((at - fromAt) / (toAt - fromAt)) * (width - left - right);
  const inside = (at: number | null): at is number => at !== null && at >= fromAt && at <= toAt;
  return (
    <>
      {inside(markAt) && (
        <span
          aria-hidden="true"
          className="mark-line"
          data-at={markAt}
          data-testid="mark-line"
          style={{ left: x(markAt) }}
        />
      )}
      {inside(cursorAt) && <span aria-hidden="true" className="cursor-line" style={{ left: x(cursorAt) }} />}
    </>
  );
}
