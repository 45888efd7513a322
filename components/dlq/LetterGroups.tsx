'use client';

import { Trash2 } from 'lucide-react';
import { useState } from 'react';
import { DLQ_WINDOW, type DlqGroup } from '#lib/protocol/dead-letters.ts';
import { useLive } from '../use-live.ts';
import { count, exactTime, timeOfDay } from '../visual/quantity.ts';
import { show, useDlq } from './dlq-store.ts';
import { GroupMarks } from './GroupMarks.tsx';
import { PurgeGroup } from './PurgeGroup.tsx';
import { ReadFailure } from './ReadFailure.tsx';
import { RedriveButton, useFreshStatus } from './RedriveButton.tsx';
import { type RedriveState, redriveState } from './redrive-state.ts';

/** What failed alike, over a window that is said. */
export function LetterGroups() {
  const { data, readAt, failure } = useDlq((view) => view.groups);
  const filter = useDlq((view) => view.filter);
  const shown = useDlq((view) => view.group);
  const [purging, setPurging] = useState<DlqGroup | null>(null);
  const live = useLive();
  const status = useFreshStatus();
  const old = failure !== null || live === 'stale' || live === 'no-data';
  return (
    <section
      aria-label="Groups"
      className={`panel min-w-0 ${data && old ? 'stale' : ''}`}
      data-testid="dlq-groups"
    >
      <div className="flex min-h-10 flex-wrap items-center gap-x-3 border-b border-line px-3 py-1.5">
        <h3 className="panel-title">Groups</h3>
        {data && (
          <span className="text-[12px] text-muted" data-testid="dlq-window">
            {data.looked < data.total
              ? `by error, of the latest ${count(DLQ_WINDOW)} of ${count(data.total)} letters`
              : `by error, of all ${count(data.total)} letters`}
          </span>
        )}
        {readAt !== null && (
          <time className="ml-auto text-[11px] text-faint" title={exactTime(readAt)}>
            as of {timeOfDay(readAt)}
          </time>
        )}
      </div>
      {failure && <ReadFailure text={failure} />}
      {!data && !failure && <p className="px-3 py-3 text-muted">Loading…</p>}
      {data?.groups.length === 0 && (
        <p className="px-3 py-3 text-muted">
          {filter.queue || filter.faultId
            ? 'No dead letter passes this filter.'
            : 'No dead letter: nothing was given up.'}
        </p>
      )}
      <ul className="divide-y divide-line">
        {data?.groups.map((group) => (
          <Group
            group={group}
            key={`${group.queue} ${group.signature}`}
            onPurge={() => setPurging(group)}
            redrive={redriveState({ queues: [group.queue], redrivable: group.redrivable, status })}
            selected={shown?.signature === group.signature && shown.queue === group.queue}
          />
        ))}
      </ul>
      {data && data.more > 0 && (
        <p className="border-t border-line px-3 py-2 text-muted">
          and {count(data.more)} smaller groups; filter to see them
        </p>
      )}
      {purging && <PurgeGroup group={purging} onClose={() => setPurging(null)} />}
    </section>
  );
}

interface GroupProps {
  group: DlqGroup;
  selected: boolean;
  redrive: RedriveState;
  onPurge: () => void;
}

function Group({ group, selected, redrive, onPurge }: GroupProps) {
  const view = useDlq((each) => each.filter);
  const { queue, signature, count: inWindow, total, redrivable, newestAt, oldestAt } = group;
  const toggle = () => {
    void show(view, selected ? null : { queue, signature });
    // Where the two stand below each other, the letters would come into a part that is not seen.
    const below = !window.matchMedia('(min-width: 80rem)').matches;
    if (below && !selected) document.getElementById('dlq-letters')?.scrollIntoView();
  };
  return (
    <li
      className={`relative px-3 py-2 hover:bg-raised ${selected ? 'bg-raised ring-1 ring-line-strong ring-inset' : ''}`}
      data-signature={signature}
      data-testid="dlq-group"
    >
      <button
        aria-pressed={selected}
        className="flex w-full min-w-0 items-baseline gap-2 text-left after:absolute after:inset-0 after:content-['']"
        data-testid="dlq-group-open"
        onClick={toggle}
        type="button"
      >
        <b className="text-[15px] font-semibold">{count(inWindow)} ×</b>
        <span className="min-w-0 flex-1 [overflow-wrap:anywhere]">
          <span className="text-muted">{queue}</span> {signature}
        </span>
      </button>
      <div className="mt-1 flex flex-wrap items-center gap-x-2 gap-y-1 text-[12px] text-muted">
        <GroupMarks group={group} />
        {total > inWindow && <span>{count(total)} in all</span>}
        <span title={`${exactTime(oldestAt)} to ${exactTime(newestAt)}`}>
          {newestAt === oldestAt ? timeOfDay(newestAt) : `${timeOfDay(oldestAt)}–${timeOfDay(newestAt)}`}
        </span>
        <span className="relative z-10 ml-auto flex flex-wrap items-center justify-end gap-2">
          <RedriveButton filter={{ ...view, queue, signature }} state={redrive} testId="dlq-redrive-group">
            Re-drive {count(redrivable)}
          </RedriveButton>
          <button
            aria-haspopup="dialog"
            className="small-button min-h-8!"
            data-testid="dlq-purge-group"
            onClick={onPurge}
            type="button"
          >
            <Trash2 aria-hidden="true" size={13} /> Purge…
          </button>
        </span>
      </div>
    </li>
  );
}
