'use client';

import { RotateCcw } from 'lucide-react';
import { useCallback, useEffect, useState } from 'react';
import type { DlqPage } from '#lib/protocol/events.ts';
import { OriginChip } from '../banner/ModeBanner.tsx';
import { useSystem } from '../stores/state-store.ts';
import { Modal } from '../visual/Modal.tsx';
import { count, exactTime, timeOfDay } from '../visual/quantity.ts';
import { groupLetters, loadLetters, redriveAll, redriveLetter } from './dead-letters.ts';

const RATE_PER_SECOND = 10;

/** What was given up after retries, grouped by how it failed; sent again one by one, by group, or all. */
export default function DeadLetters() {
  const total = useSystem((store) => store.state?.pipeline?.dlq.count ?? null);
  const [page, setPage] = useState<DlqPage | null>(null);
  const [message, setMessage] = useState<{ text: string; bad: boolean } | null>(null);
  const load = useCallback(async (cursor: string | null = null) => {
    const answer = await loadLetters(cursor);
    if (!answer.ok) setMessage({ text: answer.text, bad: true });
    else
      setPage((before) =>
        cursor && before ? { ...answer.data, items: [...before.items, ...answer.data.items] } : answer.data,
      );
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new count is what asks for a new look
  useEffect(() => void load(), [load, total]);
  const send = async (sending: ReturnType<typeof redriveLetter>) => {
    const answer = await sending;
    setMessage(
      answer.ok
        ? {
            text: `${count(answer.data.accepted)} on their way again, ${RATE_PER_SECOND} a second`,
            bad: false,
          }
        : { text: answer.text, bad: true },
    );
    await load();
  };
  return (
    <Modal testId="dlq" title={`Dead letters${total === null ? '' : `: ${count(total)}`}`} width="48rem">
      <div className="mb-3 flex flex-wrap items-center gap-3">
        <p className="flex-1 text-muted">
          Work given up after its retries. Nothing here is lost; it can be sent again.
        </p>
        <button
          className="small-button"
          data-testid="dlq-redrive-all"
          disabled={!page || page.items.length === 0}
          onClick={() => void send(redriveAll({}, RATE_PER_SECOND))}
          type="button"
        >
          <RotateCcw aria-hidden="true" size={12} /> Re-drive all
        </button>
      </div>
      {message && (
        <p
          className={`mb-2 font-semibold ${message.bad ? 'text-open-ink' : 'text-recovered-ink'}`}
          role="status"
        >
          {message.text}
        </p>
      )}
      {!page && !message && <p className="text-muted">Loading…</p>}
      {page?.items.length === 0 && <p className="text-muted">No dead letter.</p>}
      {page &&
        groupLetters(page.items).map((group) => (
          <section className="mb-3 rounded-md border border-line" key={`${group.queue} ${group.signature}`}>
            <div className="flex items-center gap-2 border-b border-line px-3 py-1.5">
              <b className="font-semibold">{group.letters.length} ×</b>
              <span className="min-w-0 flex-1 [overflow-wrap:anywhere]">
                {group.queue}: {group.signature}
              </span>
              <OriginChip origin={group.injected ? 'injected' : 'organic'} />
              <button
                className="small-button"
                data-testid="dlq-redrive-group"
                onClick={() =>
                  void send(redriveAll({ queue: group.queue, signature: group.signature }, RATE_PER_SECOND))
                }
                type="button"
              >
                <RotateCcw aria-hidden="true" size={12} /> Group
              </button>
            </div>
            <ul className="divide-y divide-line">
              {group.letters.map((letter) => (
                <li
                  className="flex items-center gap-3 px-3 py-1 text-[12px]"
                  data-testid="dlq-letter"
                  key={letter.id}
                >
                  <time className="text-faint" title={exactTime(letter.lastFailedAt)}>
                    {timeOfDay(letter.lastFailedAt)}
                  </time>
                  <span className="min-w-0 flex-1 truncate text-muted" title={letter.error.message}>
                    {letter.attempts} attempts · {letter.error.message}
                  </span>
                  <button
                    aria-label={`Re-drive ${letter.id}`}
                    className="small-button"
                    data-testid="dlq-redrive"
                    onClick={() => void send(redriveLetter(letter.id))}
                    type="button"
                  >
                    <RotateCcw aria-hidden="true" size={12} />
                  </button>
                </li>
              ))}
            </ul>
          </section>
        ))}
      {page?.nextCursor && (
        <button className="small-button" onClick={() => void load(page.nextCursor)} type="button">
          Show 50 more of {count(page.total)}
        </button>
      )}
    </Modal>
  );
}
