'use client';

import Link from 'next/link';
import {
  type Dispatch,
  memo,
  type SetStateAction,
  type UIEvent,
  useDeferredValue,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import type { Fact } from '#lib/protocol/facts.ts';
import type { ServiceName } from '#lib/protocol/faults.ts';
import type { FactLog } from '../facts-reducer.ts';
import { STORY_LEAST } from '../frame/part-places.ts';
import { momentPath } from '../history/moments.ts';
import { useFacts } from '../stores/facts-store.ts';
import { useView } from '../stores/view-store.ts';
import { KEYBOARD_SCROLL } from '../visual/keyboard-scroll.ts';
import { exactTime, timeOfDay } from '../visual/quantity.ts';
import { SimulatedBadge } from '../visual/SimulatedBadge.tsx';
import { INK, type Status, StatusMark } from '../visual/StatusMark.tsx';
import { factsAbout } from './facts-about.ts';
import { sentence, sinceFault, type Tone } from './story-sentence.ts';

/** Around a moment that is opened on the timeline. */
const LINKED_MS = 300_000;
/** Lines that can be scrolled to; the timeline on the server has them all. */
const LINES_MAX = 500;
/** Drawn at once. Each new line moves all of them: 500 cost a click 40 ms of the main thread. */
const LINES_AT_ONCE = 40;
/** From the end of the list at which it grows. */
const CLOSE = '200px';

/** What happened, in plain words, newest first: everything, or what concerns one service. */
export function Story({ service }: { service?: ServiceName }) {
  const log = useDeferredValue(useFacts());
  return <StoryOf log={log} {...(service && { service })} />;
}

interface StoryOfProps {
  log: FactLog;
  service?: ServiceName;
}

const StoryOf = memo(function StoryOf({ log: { facts: all, gaps }, service }: StoryOfProps) {
  const facts = useMemo(() => (service ? factsAbout(service, all) : all), [service, all]);
  const newest = useMemo(() => facts.slice(-LINES_MAX), [facts]);
  const since = useMemo(() => sinceFault(newest), [newest]);
  const [shown, setShown] = useState(LINES_AT_ONCE);
  const lines = useMemo(() => newest.slice(-shown).toReversed(), [newest, shown]);
  const hasMore = shown < newest.length;
  const more = useMore(hasMore, shown, setShown);
  return (
    <section
      aria-label="Story"
      className={`panel flex flex-1 flex-col ${STORY_LEAST} ${service ? 'max-h-[32rem]' : ''}`}
      data-in="log"
    >
      <h2 className="panel-title border-b border-line px-3 py-2">Story{service && ` of ${service}`}</h2>
      <ol
        className="min-h-0 flex-1 overflow-y-auto py-1 max-wide:max-h-[70dvh]"
        data-testid="story"
        onScroll={(event: UIEvent) => {
          const { currentTarget: list } = event;
          // Not while a link in it has the focus, which would be lost with its line.
          const hasFocus = document.activeElement !== list && list.contains(document.activeElement);
          if (list.scrollTop === 0 && !hasFocus) setShown(LINES_AT_ONCE);
        }}
        {...KEYBOARD_SCROLL}
      >
        {lines.length === 0 && (
          <li className="px-3 py-1.5 text-muted">Nothing has happened {service ? 'here ' : ''}yet.</li>
        )}
        {lines.map((fact) => (
          <StoryLine
            fact={fact}
            gapAfter={gaps.includes(fact.seq)}
            key={fact.seq}
            sinceMs={since.get(fact.seq)}
          />
        ))}
        {hasMore && (
          <li className="px-3 py-0.5 text-[12px] text-faint" ref={more}>
            older lines follow as you scroll
          </li>
        )}
      </ol>
    </section>
  );
});

/** For the end of a list that scrolls: it grows while that end is close to what is seen. */
function useMore(hasMore: boolean, shown: number, setShown: Dispatch<SetStateAction<number>>) {
  const end = useRef<HTMLLIElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: an end that is still close after the list has grown is told only to a new observer
  useEffect(() => {
    if (!hasMore || !end.current) return;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) setShown((lines) => lines + LINES_AT_ONCE);
      },
      { root: end.current.parentElement, rootMargin: CLOSE },
    );
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [hasMore, shown, setShown]);
  return end;
}

export const TONE_STATUS: Record<Tone, Status> = {
  quiet: 'normal',
  injected: 'injected',
  half: 'half',
  degraded: 'degraded',
  open: 'open',
  recovered: 'recovered',
  loss: 'loss',
  halt: 'offline',
};

interface StoryLineProps {
  fact: Fact;
  gapAfter: boolean;
  sinceMs: number | undefined;
}

const StoryLine = memo(function StoryLine({ fact, gapAfter, sinceMs }: StoryLineProps) {
  const { lead, text, tone } = sentence(fact);
  const status = TONE_STATUS[tone];
  return (
    <li
      className="flex gap-2 px-3 py-0.5 leading-[18px] [contain-intrinsic-size:auto_22px] [content-visibility:auto] hover:bg-raised"
      data-seq={fact.seq}
      data-subject={fact.subject}
      data-testid="story-line"
      data-type={fact.type}
      onPointerEnter={() => useView.setState({ cursorAt: fact.at })}
      onPointerLeave={() => useView.setState({ cursorAt: null })}
    >
      <span className={`mt-[4px] ${INK[status]}`}>
        <StatusMark size={10} status={status} />
      </span>
      <span className="min-w-0 flex-1 text-[12px] [overflow-wrap:anywhere] text-muted">
        <b className={`font-semibold ${tone === 'quiet' ? 'text-ink' : INK[status]}`}>{lead}</b> {text}
        {fact.type === 'afterEffect' && fact.data.service === 'gpu' && <SimulatedBadge className="ml-1.5" />}
        {gapAfter && <em className="block text-degraded-ink">Older lines after this one are gone.</em>}
      </span>
      <Link
        className="shrink-0 text-right text-[11px] text-faint hover:text-ink hover:underline"
        href={momentPath(fact.at, LINKED_MS, fact.seq)}
        prefetch={false}
        title={`${exactTime(fact.at)} · open on the timeline`}
      >
        <time dateTime={new Date(fact.at).toISOString()}>
          {sinceMs === undefined ? timeOfDay(fact.at) : `+${(sinceMs / 1000).toFixed(1)} s`}
        </time>
      </Link>
    </li>
  );
});
