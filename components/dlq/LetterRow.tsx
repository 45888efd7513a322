'use client';

import { ChevronDown, ChevronRight, RotateCcw } from 'lucide-react';
import { memo, useState } from 'react';
import type { DeadLetter } from '#lib/protocol/dead-letters.ts';
import { exactTime, timeOfDay } from '../visual/quantity.ts';
import { sendAgain } from './dlq-actions.ts';
import { useDlq } from './dlq-store.ts';
import { Poison } from './GroupMarks.tsx';
import { LetterPeek } from './LetterPeek.tsx';

interface LetterRowProps {
  letter: DeadLetter;
  /** Why it cannot be given back now. */
  disabled: string | null;
  /** It was given back. */
  onLeft: () => void;
}

/** One letter in a line; pressed, everything that is known of it. */
export const LetterRow = memo(function LetterRow({ letter, disabled, onLeft }: LetterRowProps) {
  const { id, queue, error, attempts, lastFailedAt, redrives, resentAs } = letter;
  const open = useDlq((view) => view.open?.id === id);
  const [busy, setBusy] = useState(false);
  const send = async () => {
    setBusy(true);
    const sent = await sendAgain(id);
    setBusy(false);
    if (sent) onLeft();
  };
  return (
    <li data-id={id} data-testid="dlq-letter">
      <div className="flex items-center gap-2 px-3 py-1 text-[12px] hover:bg-raised">
        <button
          aria-controls={`peek-${id}`}
          aria-expanded={open}
          className="flex min-h-7 min-w-0 flex-1 items-center gap-2 text-left"
          data-testid="dlq-peek"
          onClick={() => useDlq.setState({ open: open ? null : letter })}
          type="button"
        >
          {open ? (
            <ChevronDown aria-hidden="true" className="shrink-0 text-faint" size={13} />
          ) : (
            <ChevronRight aria-hidden="true" className="shrink-0 text-faint" size={13} />
          )}
          <time className="shrink-0 text-faint" title={exactTime(lastFailedAt)}>
            {timeOfDay(lastFailedAt)}
          </time>
          <span className="min-w-0 truncate text-muted" title={error.message}>
            <span className="text-ink">{queue}</span> {error.message}
          </span>
        </button>
        {resentAs !== undefined && <span className="shrink-0 text-recovered-ink">sent again</span>}
        {redrives > 0 && <Poison times={redrives} />}
        <span className="shrink-0 text-faint max-sm:hidden">
          {attempts} {attempts === 1 ? 'attempt' : 'attempts'}
        </span>
        <button
          aria-busy={busy}
          aria-label={`Re-drive letter of ${timeOfDay(lastFailedAt)}`}
          className="small-button min-h-7! w-8 justify-center px-0!"
          data-testid="dlq-redrive"
          disabled={disabled !== null || busy}
          onClick={() => void send()}
          title={disabled ?? 'Give it back to its queue now'}
          type="button"
        >
          <RotateCcw aria-hidden="true" size={13} />
        </button>
      </div>
      {open && <LetterPeek letter={letter} notRedrivable={disabled} />}
    </li>
  );
});
