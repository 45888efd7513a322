'use client';

import { ChevronLeft, ChevronRight, Link2, X } from 'lucide-react';
import { useState } from 'react';
import { ExportMenu } from '../history/ExportMenu.tsx';
import { useHistory } from '../history/history-store.ts';
import { momentPath } from '../history/moments.ts';
import { panBy, toLive, zoomTo } from '../history/time-travel.ts';
import { serverNow } from '../stores/state-store.ts';
import { useView, WINDOWS_MS } from '../stores/view-store.ts';
import { timeOfDay } from '../visual/quantity.ts';
import { ScrubSlider } from './ScrubSlider.tsx';

/** The way through time: back, on, live, how much of it, a link to a moment, a file of it. */
export function TimeControls({ full }: { full: boolean }) {
  const windowMs = useView((view) => view.windowMs);
  const frozenAt = useView((view) => view.frozenAt);
  const markAt = useView((view) => view.markAt);
  const extra = full ? '' : 'max-wide:hidden';
  return (
    <fieldset
      aria-label="Time axis"
      className={`ml-auto flex min-w-0 flex-wrap items-center gap-1 ${full ? 'max-wide:w-full' : ''}`}
    >
      <HistoryPhase />
      {markAt !== null && (
        <button
          aria-label={`Marked ${timeOfDay(markAt)}: take the mark away`}
          className="small-button"
          data-testid="clear-mark"
          onClick={() => useView.setState({ markAt: null })}
          type="button"
        >
          Marked {timeOfDay(markAt)} <X aria-hidden="true" size={12} />
        </button>
      )}
      {frozenAt !== null && (
        <button
          className="small-button border-half! bg-half! text-on-fill!"
          data-testid="to-live"
          onClick={toLive}
          type="button"
        >
          Frozen at {timeOfDay(frozenAt)} · to live
        </button>
      )}
      <button
        aria-label="Back by half of the window"
        className={`small-button w-7 justify-center px-0! ${extra}`}
        data-testid="pan-back"
        onClick={() => panBy(-0.5)}
        title="Back by half of the window; the ribbon can be dragged as well"
        type="button"
      >
        <ChevronLeft aria-hidden="true" size={14} />
      </button>
      <button
        aria-label="On by half of the window"
        className={`small-button w-7 justify-center px-0! ${extra}`}
        data-testid="pan-on"
        disabled={frozenAt === null}
        onClick={() => panBy(0.5)}
        title="On by half of the window, until live"
        type="button"
      >
        <ChevronRight aria-hidden="true" size={14} />
      </button>
      {full && <ScrubSlider />}
      {WINDOWS_MS.map((each) => (
        <button
          aria-pressed={windowMs === each}
          className={`min-h-6 rounded px-2 text-[11px] font-medium ${windowMs === each ? 'bg-raised text-ink ring-1 ring-line-strong' : 'text-muted hover:text-ink'}`}
          data-testid={`window-${each / 60_000}`}
          key={each}
          onClick={() => zoomTo(each)}
          type="button"
        >
          {each / 60_000} min
        </button>
      ))}
      <span className={`flex items-center gap-1 ${extra}`}>
        <CopyLink />
        <ExportMenu />
      </span>
    </fieldset>
  );
}

/** What is being fetched of the past, or why it is not there. */
function HistoryPhase() {
  const phase = useHistory((store) => store.phase);
  const error = useHistory((store) => store.error);
  const first = useHistory((store) => store.liveFrom === null);
  if (phase === 'failed') {
    return (
      <span className="text-[11px] font-semibold text-degraded-ink" data-testid="history-phase" role="status">
        History not loaded, gaps may be ours: {error}
      </span>
    );
  }
  if (phase !== 'loading' && !first) return null;
  return (
    <span className="text-[11px] text-muted" data-testid="history-phase">
      Loading history…
    </span>
  );
}

/** Copies the address of the marked moment, of the frozen one, or of now. */
function CopyLink() {
  const marked = useView((view) => view.markAt !== null);
  const [shown, setShown] = useState<{ url: string; copied: boolean } | null>(null);
  const copy = async () => {
    const { markAt, frozenAt, windowMs } = useView.getState();
    const url = `${location.origin}${momentPath(markAt ?? frozenAt ?? serverNow(), windowMs)}`;
    try {
      await navigator.clipboard.writeText(url);
      setShown({ url, copied: true });
      setTimeout(() => setShown((now) => (now?.url === url ? null : now)), 3_000);
    } catch {
      setShown({ url, copied: false }); // refused, or not there without https: to be copied by hand
    }
  };
  return (
    <>
      <button
        className="small-button"
        data-testid="copy-link"
        onClick={() => void copy()}
        title={
          marked
            ? 'Copy a link to the marked moment'
            : 'Copy a link to this moment; press the ribbon to mark one'
        }
        type="button"
      >
        <Link2 aria-hidden="true" size={13} /> Link
      </button>
      <span className="text-[11px] text-muted" role="status">
        {shown?.copied && 'Copied'}
      </span>
      {shown && !shown.copied && (
        <input
          aria-label="Link to this moment"
          className="field w-56 text-[11px]"
          data-testid="link-to-copy"
          onFocus={(event) => event.currentTarget.select()}
          readOnly
          value={shown.url}
        />
      )}
    </>
  );
}
