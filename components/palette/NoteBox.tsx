'use client';

import { useState } from 'react';
import { command } from '../socket.ts';
import { describeProblem } from '../stores/faults-store.ts';
import { useView } from '../stores/view-store.ts';
import { Modal } from '../visual/Modal.tsx';
import { noteAgoMs } from './note-ago.ts';

/** A note into the story, in two actions: type, Enter. It stands at the moment at which the box was opened. */
export default function NoteBox() {
  const [text, setText] = useState('');
  const [begunMs] = useState(() => performance.now());
  const [refusal, setRefusal] = useState<string | null>(null);
  const send = async () => {
    if (!text.trim()) return;
    const answer = await command('note:add', { text: text.trim(), agoMs: noteAgoMs(begunMs) });
    if (answer.ok) useView.setState({ overlay: null });
    else setRefusal(describeProblem(answer.error));
  };
  return (
    <Modal testId="note-box" title="Note" widthClass="w-[min(28rem,94vw)]">
      <form
        className="flex gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <input
          aria-label="What happened"
          className="field min-h-9! flex-1"
          data-autofocus
          data-testid="note-text"
          maxLength={500}
          onChange={(event) => setText(event.target.value)}
          placeholder="What happened, for the story and the timeline"
          value={text}
        />
        <button className="small-button" data-testid="note-send" disabled={!text.trim()} type="submit">
          Note it
        </button>
      </form>
      {refusal && (
        <p className="mt-2 font-semibold text-open-ink" role="alert">
          {refusal}
        </p>
      )}
    </Modal>
  );
}
