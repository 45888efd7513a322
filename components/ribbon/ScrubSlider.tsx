'use client';

import { scrubTo } from '../history/time-travel.ts';
import { serverNow } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { spokenDuration, timeOfDay } from '../visual/quantity.ts';
import { useClock } from '../visual/use-clock.ts';

/** What the slider spans; further back the ribbon is dragged, or a link opened. */
const SPAN_MS = 3_600_000;
/** Well above what counts as now, so that the first press of an arrow key moves. */
const STEP_MS = 5_000;

/** The end of the window within the last hour, for the hand and for the arrow keys. */
export function ScrubSlider() {
  useClock(1_000);
  const frozenAt = useView((view) => view.frozenAt);
  const agoMs = frozenAt === null ? 0 : Math.max(0, serverNow() - frozenAt);
  const text = frozenAt === null ? 'live' : `${timeOfDay(frozenAt)}, ${spokenDuration(agoMs)} ago`;
  return (
    <input
      aria-label="End of the window"
      aria-valuetext={text}
      className="h-6 w-40 accent-injected-ink max-wide:w-full max-wide:flex-1"
      data-testid="scrub"
      max={0}
      min={-SPAN_MS}
      onChange={(event) => scrubTo(serverNow() + event.target.valueAsNumber)}
      step={STEP_MS}
      title={text}
      type="range"
      value={-Math.min(agoMs, SPAN_MS)}
    />
  );
}
