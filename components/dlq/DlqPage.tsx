'use client';

import { useEffect, useRef } from 'react';
import { PageFrame } from '../frame/PageFrame.tsx';
import { useSystem } from '../stores/state-store.ts';
import { count } from '../visual/quantity.ts';
import { DlqBar } from './DlqBar.tsx';
import { readAddress, reload, show, useDlq } from './dlq-store.ts';
import { LetterGroups } from './LetterGroups.tsx';
import { LetterList } from './LetterList.tsx';
import { LetterTasks } from './LetterTasks.tsx';

/** A letter that comes or goes is seen this much later at most; more often the server is not asked. */
const RELOAD_MS = 1_000;

/** Work that was given up: what failed alike, letter by letter, given back or purged. */
export function DlqPage() {
  const total = useSystem((store) => store.state?.pipeline?.dlq.count ?? null);
  useReloads();
  return (
    <PageFrame
      aside={
        <p className="text-muted">
          Work given up after its retries. None of it is lost; it can be sent again.
        </p>
      }
      title={
        <>
          Dead letters <span data-testid="dlq-total">{total === null ? '' : count(total)}</span>
        </>
      }
    >
      <DlqBar />
      <LetterTasks />
      <Message />
      <div className="grid min-w-0 flex-1 grid-cols-1 content-start items-start gap-1.5 wide:grid-cols-[minmax(0,5fr)_minmax(0,6fr)]">
        <LetterGroups />
        <LetterList />
      </div>
    </PageFrame>
  );
}

/** Reads when the page opens, and again when what the pipeline reports of its dead letters has changed. */
function useReloads(): void {
  const dlq = useSystem((store) => store.state?.pipeline?.dlq ?? null);
  const changes = dlq && `${dlq.count} ${dlq.newestAt} ${dlq.newest[0]?.id}`;
  const pending = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    const { filter, group } = readAddress(window.location.search);
    void show(filter, group);
    return () => {
      clearTimeout(pending.current);
      pending.current = undefined;
    };
  }, []);
  useEffect(() => {
    if (changes === null || pending.current !== undefined) return;
    pending.current = setTimeout(() => {
      pending.current = undefined;
      void reload();
    }, RELOAD_MS);
  }, [changes]);
}

function Message() {
  const message = useDlq((view) => view.message);
  return (
    <p
      className={`min-h-5 font-semibold ${message?.bad ? 'text-open-ink' : 'text-recovered-ink'} ${message ? '' : 'sr-only'}`}
      data-testid="dlq-message"
      role="status"
    >
      {message?.text}
    </p>
  );
}
