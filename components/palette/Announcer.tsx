'use client';

import { useEffect, useState } from 'react';
import { fetchPart } from '../fetch-part.ts';
import { useFacts } from '../stores/facts-store.ts';
import { useAtRest } from '../use-at-rest.ts';
import { useLive } from '../use-live.ts';
import { isUrgent } from './is-urgent.ts';

const PAUSE_MS = 3_000;
/** Fetched when the page is at rest: while there is trouble a server may have nothing to give. */
const words = () => fetchPart(() => import('../story/story-sentence.ts'));
const TOLD = new Set(['faultStarted', 'faultEnded', 'breakerChanged', 'modeChanged', 'resumed']);

/** Tells a screen reader what changed: at most one message in three seconds, and at once what cannot wait. */
export function Announcer() {
  const atRest = useAtRest();
  useEffect(() => {
    if (atRest) words().catch(() => {}); // told when something is to be said
  }, [atRest]);
  const change = useChange();
  const urgent = useUrgent();
  const live = useLive();
  const lost = live === 'stale' || live === 'no-data';
  return (
    <>
      <p aria-live="polite" className="sr-only">
        {change}
      </p>
      <p className="sr-only" data-testid="urgent" role="alert">
        {lost ? 'The link is lost: what is shown is old' : urgent}
      </p>
    </>
  );
}

function useChange(): string {
  const [text, setText] = useState('');
  useEffect(() => {
    let told = useFacts.getState().lastSeq;
    let said = 0;
    const timer = setInterval(() => {
      const { facts, lastSeq } = useFacts.getState();
      if (lastSeq <= told) return;
      const fresh = told === 0 ? [] : facts.filter((fact) => fact.seq > told && TOLD.has(fact.type));
      told = lastSeq;
      const last = fresh.at(-1);
      if (!last) return;
      void words().then(({ sentence }) => {
        if (last.seq < said) return; // its words came late
        said = last.seq;
        const { lead, text: what } = sentence(last);
        setText(`${lead} ${what}${fresh.length > 1 ? `, and ${fresh.length - 1} more` : ''}`);
      });
    }, PAUSE_MS);
    return () => clearInterval(timer);
  }, []);
  return text;
}

/** What happened before the page was opened is not told as new. A halt is told by its banner. */
function useUrgent(): string {
  const [text, setText] = useState('');
  useEffect(() => {
    let said = 0;
    return useFacts.subscribe(({ facts, lastSeq }, before) => {
      if (before.lastSeq === 0 || lastSeq <= before.lastSeq) return;
      const grave = facts.findLast((fact) => fact.seq > before.lastSeq && isUrgent(fact));
      if (!grave) return;
      void words().then(({ sentence }) => {
        if (grave.seq < said) return; // its words came late
        said = grave.seq;
        const { lead, text: what } = sentence(grave);
        setText(`${lead} ${what}`);
      });
    });
  }, []);
  return text;
}
