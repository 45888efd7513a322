'use client';

import { ChevronLeft, ChevronRight } from 'lucide-react';
import { useCallback, useRef } from 'react';
import { useLive } from '../use-live.ts';
import { count, exactTime, timeOfDay } from '../visual/quantity.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import { PAGE_SIZE, show, showPage, useDlq } from './dlq-store.ts';
import { LetterPeek } from './LetterPeek.tsx';
import { LetterRow } from './LetterRow.tsx';
import { ReadFailure } from './ReadFailure.tsx';
import { useFreshStatus } from './RedriveButton.tsx';
import { redriveState } from './redrive-state.ts';

/** Letter by letter, newest first, 50 to a page. Looking changes nothing. */
export function LetterList() {
  const { data, readAt, failure } = useDlq((view) => view.letters);
  const cursors = useDlq((view) => view.cursors);
  const filter = useDlq((view) => view.filter);
  const group = useDlq((view) => view.group);
  const open = useDlq((view) => view.open);
  const heading = useRef<HTMLHeadingElement>(null);
  const live = useLive();
  const status = useFreshStatus();
  // The button that was pressed is gone: the keyboard stays here.
  const stayHere = useCallback(() => heading.current?.focus(), []);
  const old = failure !== null || live === 'stale' || live === 'no-data';
  const page = useDlq((view) => view.page);
  const first = (page - 1) * PAGE_SIZE + 1;
  return (
    <section
      aria-label="Letters"
      className={`panel min-w-0 scroll-mt-64 ${data && old ? 'stale' : ''}`}
      data-testid="dlq-letters"
      id="dlq-letters"
    >
      <div className="flex min-h-10 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-3 py-1.5">
        <h3 className="panel-title" ref={heading} tabIndex={-1}>
          Letters
        </h3>
        {data && data.items.length > 0 && (
          <span className="text-[12px] text-muted" data-testid="dlq-range">
            {count(first)}–{count(first + data.items.length - 1)} of {count(data.total)}
          </span>
        )}
        {group && (
          <button
            className="small-button"
            data-testid="dlq-all-groups"
            onClick={() => void show(filter, null)}
            type="button"
          >
            of one group · show all
          </button>
        )}
        <span className="ml-auto flex items-center gap-1.5">
          {readAt !== null && cursors.length > 1 && (
            <time className="text-[11px] text-faint" title={exactTime(readAt)}>
              as of {timeOfDay(readAt)}
            </time>
          )}
          <button
            aria-label="Newer letters"
            className="small-button w-8 justify-center px-0!"
            data-testid="dlq-newer"
            disabled={cursors.length === 1}
            onClick={() => void showPage(cursors.slice(0, -1))}
            type="button"
          >
            <ChevronLeft aria-hidden="true" size={14} />
          </button>
          <button
            aria-label="Older letters"
            className="small-button w-8 justify-center px-0!"
            data-testid="dlq-older"
            disabled={!data?.nextCursor || page !== cursors.length}
            onClick={() => void showPage([...cursors, data?.nextCursor ?? null])}
            type="button"
          >
            <ChevronRight aria-hidden="true" size={14} />
          </button>
        </span>
      </div>
      {failure && <ReadFailure text={failure} />}
      {!data && !failure && <p className="px-3 py-3 text-muted">Loading…</p>}
      {data?.items.length === 0 && <p className="px-3 py-3 text-muted">No letter here.</p>}
      {open && data && !data.items.some(({ id }) => id === open.id) && (
        <div className="border-b border-line" data-testid="dlq-left">
          <p className="flex items-center gap-2 px-3 py-1.5 text-[12px]">
            <StatusMark size={10} status="half" />
            <span className="flex-1">The letter you look at is not on this page any more:</span>
            <button className="small-button" onClick={() => useDlq.setState({ open: null })} type="button">
              Close
            </button>
          </p>
          <LetterPeek letter={open} notRedrivable={null} />
        </div>
      )}
      <ul className="divide-y divide-line">
        {data?.items.map((letter) => (
          <LetterRow
            disabled={
              redriveState({ queues: [letter.queue], redrivable: letter.redrivable ? 1 : 0, status }).disabled
            }
            key={letter.id}
            letter={letter}
            onLeft={stayHere}
          />
        ))}
      </ul>
    </section>
  );
}
