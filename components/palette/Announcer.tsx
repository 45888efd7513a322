'use client';

import { useEffect, useState } from 'react';
import { useFacts } from '../stores/facts-store.ts';
import { sentence } from '../story/story-sentence.ts';

const PAUSE_MS = 3_000;
const TOLD = new Set(['faultStarted', 'faultEnded', 'breakerChanged', 'modeChanged', 'resumed']);

/** Tells a screen reader what changed, at most one message in three seconds. */
export function Announcer() {
  const [text, setText] = useState('');
  useEffect(() => {
    let told = useFacts.getState().lastSeq;
    const timer = setInterval(() => {
      const { facts, lastSeq } = useFacts.getState();
      if (lastSeq <= told) return;
      const fresh = told === 0 ? [] : facts.filter((fact) => fact.seq > told && TOLD.has(fact.type));
      told = lastSeq;
      const last = fresh.at(-1);
      if (!last) return;
      const { lead, text: what } = sentence(last);
      setText(`${lead} ${what}${fresh.length > 1 ? `, and ${fresh.length - 1} more` : ''}`);
    }, PAUSE_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <p aria-live="polite" className="sr-only">
      {text}
    </p>
  );
}
