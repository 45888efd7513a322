'use client';

import { X } from 'lucide-react';
import { useState } from 'react';
import type { LetterTask } from '#lib/protocol/dead-letters.ts';
import { useSystem } from '../stores/state-store.ts';
import { staleClass, useLive } from '../use-live.ts';
import { exactTime, timeOfDay } from '../visual/quantity.ts';
import { INK, type Status, StatusMark } from '../visual/StatusMark.tsx';
import { cancel } from './dlq-actions.ts';
import { taskProgress, taskTitle } from './dlq-words.ts';

const LOOK: Record<LetterTask['state'], { status: Status; word: string }> = {
  running: { status: 'normal', word: 'RUNNING' },
  waiting: { status: 'half', word: 'WAITS' },
  done: { status: 'recovered', word: 'DONE' },
  cancelled: { status: 'offline', word: 'CANCELLED' },
  failed: { status: 'open', word: 'FAILED' },
};

/** Re-drives and purges that are on or ended a short while ago, as the pipeline reports them. */
export function LetterTasks() {
  const tasks = useSystem((store) => store.state?.pipeline?.dlq.tasks);
  const ageMs = useSystem((store) => store.state?.pipeline?.ageMs);
  const live = useLive();
  if (!tasks || tasks.length === 0) return null;
  return (
    <ul
      aria-label="Re-drives and purges"
      className={`panel divide-y divide-line ${staleClass(live, ageMs)}`}
      data-testid="dlq-tasks"
    >
      {tasks.map((task) => (
        <Task key={`${task.id} ${task.startedAt}`} task={task} />
      ))}
    </ul>
  );
}

function Task({ task }: { task: LetterTask }) {
  const { state, queue, total, done, skipped, failed, why, endedAt } = task;
  const { status, word } = LOOK[state];
  const [busy, setBusy] = useState(false);
  const end = async () => {
    setBusy(true);
    await cancel(queue);
    setBusy(false);
  };
  return (
    <li
      className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 py-1.5"
      data-state={state}
      data-testid={`dlq-task-${queue}`}
    >
      <span className={`inline-flex items-center gap-1.5 text-[12px] font-bold ${INK[status]}`}>
        <StatusMark size={11} status={status} />
        {word}
      </span>
      <span className="first-letter:uppercase">{taskTitle(task)}</span>
      <progress
        aria-label={`${taskTitle(task)}: progress`}
        className="h-2 w-40 accent-[var(--ink)]"
        max={Math.max(1, total)}
        value={done + skipped + failed}
      />
      <span className="text-muted">{taskProgress(task)}</span>
      {why !== null && <span className="font-medium text-degraded-ink">{why}</span>}
      {endedAt === null ? (
        <button
          aria-busy={busy}
          className="small-button ml-auto min-h-8!"
          data-testid={`dlq-cancel-${queue}`}
          disabled={busy}
          onClick={() => void end()}
          title="What it did stays done"
          type="button"
        >
          <X aria-hidden="true" size={13} /> Cancel
        </button>
      ) : (
        <time className="ml-auto text-faint" title={exactTime(endedAt)}>
          {timeOfDay(endedAt)}
        </time>
      )}
    </li>
  );
}
