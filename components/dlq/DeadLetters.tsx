'use client';

import Link from 'next/link';
import { useEffect, useState } from 'react';
import type { DlqGroups } from '#lib/protocol/dead-letters.ts';
import { useSystem } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { Modal } from '../visual/Modal.tsx';
import { count } from '../visual/quantity.ts';
import { loadGroups } from './dlq-calls.ts';
import { addressOf, type Read, taken } from './dlq-store.ts';
import { GroupMarks } from './GroupMarks.tsx';
import { LetterTasks } from './LetterTasks.tsx';
import { ReadFailure } from './ReadFailure.tsx';

const GROUPS_SHOWN = 6;
const close = () => useView.setState({ overlay: null });

/** A look at what was given up, over the console; what can be done about it is on the page of its own. */
export default function DeadLetters() {
  const total = useSystem((store) => store.state?.pipeline?.dlq.count ?? null);
  const [groups, setGroups] = useState<Read<DlqGroups>>({ data: null, readAt: null, failure: null });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new count is what asks for a new look
  useEffect(() => {
    let gone = false;
    void loadGroups({}).then((answer) => !gone && setGroups((before) => taken(before, answer)));
    return () => {
      gone = true;
    };
  }, [total]);
  const { data, failure } = groups;
  return (
    <Modal
      testId="dlq"
      title={`Dead letters${total === null ? '' : `: ${count(total)}`}`}
      widthClass="w-[min(44rem,94vw)]"
    >
      <div className="mb-3 flex flex-wrap items-center gap-3">
        <p className="flex-1 text-muted">
          Work given up after its retries. None of it is lost; it can be sent again.
        </p>
        <Link
          className="small-button min-h-8!"
          data-testid="dlq-page"
          href="/dlq"
          onClick={close}
          prefetch={false}
        >
          Look, re-drive, purge
        </Link>
      </div>
      <LetterTasks />
      {failure && <ReadFailure text={failure} />}
      {!data && !failure && <p className="text-muted">Loading…</p>}
      {data?.groups.length === 0 && <p className="text-muted">No dead letter.</p>}
      <ul className="divide-y divide-line">
        {data?.groups.slice(0, GROUPS_SHOWN).map((group) => (
          <li className="py-1.5" key={`${group.queue} ${group.signature}`}>
            <Link
              className="[overflow-wrap:anywhere] underline decoration-line-strong underline-offset-2 hover:decoration-ink"
              href={addressOf({}, group)}
              onClick={close}
              prefetch={false}
            >
              <b className="font-semibold">{count(group.count)} ×</b> {group.queue} {group.signature}
            </Link>
            <div className="flex flex-wrap items-center gap-2 text-[12px] text-muted">
              <GroupMarks group={group} />
            </div>
          </li>
        ))}
      </ul>
      {data && data.groups.length > GROUPS_SHOWN && (
        <p className="mt-2 text-muted">and {count(data.groups.length - GROUPS_SHOWN)} groups more</p>
      )}
    </Modal>
  );
}
