'use client';

import { type MouseEvent, memo, useEffect, useRef } from 'react';
import type { Fact } from '#lib/protocol/facts.ts';
import { momentPath } from '../history/moments.ts';
import { goTo } from '../history/time-travel.ts';
import { useView } from '../stores/view-store.ts';
import { TONE_STATUS } from '../story/Story.tsx';
import { sentence } from '../story/story-sentence.ts';
import { exactTime, timeOfDay } from '../visual/quantity.ts';
import { INK, StatusMark } from '../visual/StatusMark.tsx';
import { useFactFilter } from './fact-filter-store.ts';
import { typeWords } from './fact-selection.ts';

/** One fact; its time is its address, and pressed shows it in the middle of the axis. */
export const FactLine = memo(function FactLine({ fact, selected }: { fact: Fact; selected: boolean }) {
  const { lead, text, tone } = sentence(fact);
  const status = TONE_STATUS[tone];
  const line = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (selected) line.current?.scrollIntoView({ block: 'center' });
  }, [selected]);
  const windowMs = useView((view) => view.windowMs);
  const path = momentPath(fact.at, windowMs, fact.seq);
  const open = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return; // another tab is the browser's business
    event.preventDefault();
    history.replaceState(null, '', path);
    useFactFilter.setState({ selectedSeq: fact.seq });
    goTo(fact.at);
  };
  return (
    <li
      aria-current={selected ? 'true' : undefined}
      className={`flex gap-2 px-3 py-0.5 leading-5 [contain-intrinsic-size:auto_24px] [content-visibility:auto] hover:bg-raised ${selected ? 'bg-raised outline-2 -outline-offset-2 outline-injected-ink' : ''}`}
      data-seq={fact.seq}
      data-subject={fact.subject}
      data-testid="fact-line"
      data-type={fact.type}
      onPointerEnter={() => useView.setState({ cursorAt: fact.at })}
      onPointerLeave={() => useView.setState({ cursorAt: null })}
      ref={line}
    >
      <span className={`mt-[5px] ${INK[status]}`}>
        <StatusMark size={10} status={status} />
      </span>
      <span className="min-w-0 flex-1 text-[12px] [overflow-wrap:anywhere] text-muted">
        <b className={`font-semibold ${tone === 'quiet' ? 'text-ink' : INK[status]}`}>{lead}</b> {text}
        <span className="sr-only">, {typeWords(fact.type)}</span>
      </span>
      <a
        className="shrink-0 text-right text-[11px] text-muted underline decoration-line-strong underline-offset-2 hover:text-ink"
        href={path}
        onClick={open}
        title={`${exactTime(fact.at)} · #${fact.seq}`}
      >
        <time dateTime={new Date(fact.at).toISOString()}>{timeOfDay(fact.at)}</time>
      </a>
    </li>
  );
});
