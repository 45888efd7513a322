'use client';

import { Download } from 'lucide-react';
import { useState } from 'react';
import { REDRIVE_RATE_MAX, REDRIVE_RATE_MIN } from '#lib/protocol/dead-letters.ts';
import { useFacts } from '../stores/facts-store.ts';
import { useFaults } from '../stores/faults-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { count } from '../visual/quantity.ts';
import { exportToFile } from './dlq-actions.ts';
import { type Filter, show, useDlq } from './dlq-store.ts';
import { faultName } from './dlq-words.ts';
import { RedriveButton, useFreshStatus } from './RedriveButton.tsx';
import { parseRate, redriveState } from './redrive-state.ts';

const NO_QUEUES: Readonly<Record<string, number>> = {};

/** What is looked at, at which rate it is given back, and what is done with all of it. */
export function DlqBar() {
  const filter = useDlq((view) => view.filter);
  const groups = useDlq((view) => view.groups.data);
  const status = useFreshStatus();
  const byQueue = useSystem((store) => store.state?.pipeline?.dlq.byQueue) ?? NO_QUEUES;
  const whole = groups !== null && groups.looked === groups.total && groups.more === 0;
  const queues = whole
    ? [...new Set(groups.groups.map(({ queue }) => queue))]
    : filter.queue === undefined
      ? Object.keys(byQueue)
      : [filter.queue];
  const redrivable = whole ? groups.groups.reduce((sum, group) => sum + group.redrivable, 0) : null;
  const what =
    filter.faultId !== undefined ? 'all of this fault' : filter.queue ? `all of ${filter.queue}` : 'all';
  return (
    <section
      aria-label="Filter and actions"
      className="panel flex flex-wrap items-center gap-x-3 gap-y-2 px-3 py-2"
    >
      <QueueFilter byQueue={byQueue} filter={filter} />
      <FaultFilter filter={filter} />
      <span className="ml-auto flex flex-wrap items-center gap-2">
        <Rate />
        <ExportButton filter={filter} />
        <RedriveButton
          filter={filter}
          state={redriveState({ queues, redrivable, status })}
          testId="dlq-redrive-all"
        >
          Re-drive {what}
        </RedriveButton>
      </span>
    </section>
  );
}

function QueueFilter({ byQueue, filter }: { byQueue: Readonly<Record<string, number>>; filter: Filter }) {
  const names = [...new Set([...Object.keys(byQueue), ...(filter.queue ? [filter.queue] : [])])].sort();
  return (
    <label className="flex items-center gap-1.5 text-muted">
      Queue
      <select
        className="field min-h-8"
        data-testid="dlq-queue"
        onChange={(event) => void show({ ...filter, queue: event.target.value || undefined }, null)}
        value={filter.queue ?? ''}
      >
        <option value="">all</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name} ({count(byQueue[name] ?? 0)})
          </option>
        ))}
      </select>
    </label>
  );
}

/** Faults that were in force at the newest letters; the one that is chosen stays even when none of those has it. */
function FaultFilter({ filter }: { filter: Filter }) {
  const found = useDlq((view) => view.groups.data?.faults) ?? [];
  const active = useFaults((store) => store.faults) ?? [];
  const facts = useFacts((log) => log.facts);
  const { faultId } = filter;
  const shown =
    faultId === undefined || found.some(({ id }) => id === faultId)
      ? found
      : [...found, { id: faultId, count: 0 }];
  return (
    <label className="flex min-w-0 items-center gap-1.5 text-muted">
      Fault in force
      <select
        className="field min-h-8 max-w-64 min-w-0"
        data-testid="dlq-fault"
        onChange={(event) => void show({ ...filter, faultId: event.target.value || undefined }, null)}
        value={faultId ?? ''}
      >
        <option value="">any or none</option>
        {shown.map(({ id, count: many }) => (
          <option key={id} value={id}>
            {faultName(id, active, facts)} ({count(many)} of the newest)
          </option>
        ))}
      </select>
    </label>
  );
}

function Rate() {
  const rate = useDlq((view) => view.rate);
  const bad = parseRate(rate) === null;
  return (
    <label className={`flex items-center gap-1.5 ${bad ? 'font-semibold text-open-ink' : 'text-muted'}`}>
      Rate
      <input
        aria-invalid={bad}
        className={`field min-h-8 w-16 ${bad ? 'border-open!' : ''}`}
        data-testid="dlq-rate"
        inputMode="decimal"
        onChange={(event) => useDlq.setState({ rate: event.target.value })}
        value={rate}
      />
      {bad ? `${REDRIVE_RATE_MIN} to ${REDRIVE_RATE_MAX} a second` : 'a second'}
    </label>
  );
}

function ExportButton({ filter }: { filter: Filter }) {
  const [busy, setBusy] = useState(false);
  const total = useDlq((view) => view.groups.data?.total ?? 0);
  const save = async () => {
    setBusy(true);
    await exportToFile(filter);
    setBusy(false);
  };
  return (
    <button
      aria-busy={busy}
      className="small-button min-h-8!"
      data-testid="dlq-export"
      disabled={busy || total === 0}
      onClick={() => void save()}
      title="All of them as lines of JSON"
      type="button"
    >
      <Download aria-hidden="true" size={13} /> {busy ? 'Exporting…' : 'Export'}
    </button>
  );
}
