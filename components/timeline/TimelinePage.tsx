'use client';

import { useEffect, useState } from 'react';
import { ChartGrid } from '../charts/ChartGrid.tsx';
import { PageFrame } from '../frame/PageFrame.tsx';
import { readMoment } from '../history/moments.ts';
import { goTo } from '../history/time-travel.ts';
import { Ribbon } from '../ribbon/Ribbon.tsx';
import { serverNow } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { ChartTable } from './ChartTable.tsx';
import { FactPanel } from './FactPanel.tsx';
import { useFactFilter } from './fact-filter-store.ts';
import { readFilter } from './fact-selection.ts';

/** What was, and when: the ribbon large, the charts and the facts of its window, each with an address of its own. */
export function TimelinePage() {
  const [problem, setProblem] = useState<string | null>(null);
  const [table, setTable] = useState(false);
  useEffect(() => setProblem(openAddress()), []);
  return (
    <PageFrame
      aside={
        <>
          {problem && (
            <p className="font-semibold text-degraded-ink" data-testid="address-problem" role="alert">
              The link cannot be followed whole: {problem}
            </p>
          )}
          <button
            aria-pressed={table}
            className={`small-button ml-auto ${table ? 'border-ink!' : ''}`}
            data-testid="chart-table-toggle"
            onClick={() => setTable(!table)}
            type="button"
          >
            Charts as a table
          </button>
        </>
      }
      fill
      title="Timeline"
    >
      <Ribbon breakersMax={10} controls="full" scale={1.3} />
      <div className="flex min-h-0 flex-1 flex-col gap-1.5 wide:grid wide:grid-cols-[minmax(0,1fr)_420px] wide:grid-rows-[minmax(0,1fr)]">
        <div className="order-2 flex min-h-0 flex-col wide:order-none wide:overflow-y-auto">
          {table ? <ChartTable /> : <ChartGrid rich />}
        </div>
        <FactPanel />
      </div>
    </PageFrame>
  );
}

/** Goes where the address points; gives what of it makes no sense. */
function openAddress(): string | null {
  const query = new URLSearchParams(location.search);
  const moment = readMoment(query, serverNow());
  const { filter, problem } = readFilter(query);
  if (moment.windowMs !== null) useView.setState({ windowMs: moment.windowMs });
  if (moment.at !== null) goTo(moment.at);
  useFactFilter.setState({ filter, selectedSeq: moment.seq });
  return [moment.problem, problem].filter(Boolean).join('; ') || null;
}
