'use client';

import dynamic from 'next/dynamic';
import { useEffect, useState } from 'react';
import { HaltedBanner } from '../banner/HaltedBanner.tsx';
import { ModeBanner } from '../banner/ModeBanner.tsx';
import { ChartGrid } from '../charts/ChartGrid.tsx';
import { useSockets } from '../frame/use-sockets.ts';
import { readMoment } from '../history/moments.ts';
import { goTo } from '../history/time-travel.ts';
import { Announcer } from '../palette/Announcer.tsx';
import { Overlays } from '../palette/Overlays.tsx';
import { Ribbon } from '../ribbon/Ribbon.tsx';
import { serverNow } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { PageLinks } from '../top-bar/PageLinks.tsx';
import { TopBar } from '../top-bar/TopBar.tsx';
import { ChartTable } from './ChartTable.tsx';
import { FactPanel } from './FactPanel.tsx';
import { useFactFilter } from './fact-filter-store.ts';
import { readFilter } from './fact-selection.ts';

const Toasts = dynamic(() => import('../palette/Toasts.tsx'), { ssr: false });

/** What was, and when: the ribbon large, the charts and the facts of its window, each with an address of its own. */
export function TimelinePage() {
  const [problem, setProblem] = useState<string | null>(null);
  const [table, setTable] = useState(false);
  useSockets();
  useEffect(() => setProblem(openAddress()), []);
  return (
    <div className="flex min-h-dvh flex-col gap-1.5 p-2 wide:h-dvh wide:min-h-[760px] wide:overflow-hidden">
      <div className="sticky top-0 z-20 -mx-2 flex flex-col gap-1.5 bg-ground px-2 pb-1 max-wide:-mt-2 max-wide:border-b max-wide:border-line max-wide:pt-2 wide:static wide:pb-0">
        <TopBar />
        <ModeBanner />
        <HaltedBanner />
      </div>
      <main className="flex min-h-0 flex-1 flex-col gap-1.5">
        <div className="flex flex-wrap items-center gap-2">
          <PageLinks here="/timeline" />
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
        </div>
        <Ribbon breakersMax={10} controls="full" scale={1.3} />
        <div className="flex min-h-0 flex-1 flex-col gap-1.5 wide:grid wide:grid-cols-[minmax(0,1fr)_420px] wide:grid-rows-[minmax(0,1fr)]">
          <div className="order-2 flex min-h-0 flex-col wide:order-none wide:overflow-y-auto">
            {table ? <ChartTable /> : <ChartGrid />}
          </div>
          <FactPanel />
        </div>
      </main>
      <Overlays />
      <Announcer />
      <Toasts />
    </div>
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
