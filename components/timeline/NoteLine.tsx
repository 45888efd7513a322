'use client';

import { useState } from 'react';
import { noteAgoMs } from '../palette/note-ago.ts';
import { command } from '../socket.ts';
import { describeProblem } from '../stores/faults-store.ts';

/** A note into the story from here: type, Enter. It stands at the moment of its first letter. */
export function NoteLine() {
  const [text, setText] = useState('');
  const [begunMs, setBegunMs] = useState(0);
  const [refusal, setRefusal] = useState<string | null>(null);
  const send = async () => {
    if (!text.trim()) return;
    const answer = await command('note:add', { text: text.trim(), agoMs: noteAgoMs(begunMs) });
    setRefusal(answer.ok ? null : describeProblem(answer.error));
    if (answer.ok) setText('');
  };
  return (
    <form
      className="flex min-w-40 flex-1 flex-wrap items-center gap-1.5"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <input
        aria-label="Note"
        className="field min-w-0 flex-1"
        data-testid="timeline-note"
        maxLength={500}
        onChange={(event) => {
          if (text === '') setBegunMs(performance.now());
          setText(event.target.value);
        }}
        placeholder="Note what you see"
        value={text}
      />
      <button className="small-button" disabled={!text.trim()} type="submit">
        Note it
      </button>
      {refusal && (
        <p className="w-full text-open-ink" role="alert">
          {refusal}
        </p>
      )}
    </form>
  );
}
