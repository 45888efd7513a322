'use client';

import { AnswerStrip } from './answers/AnswerStrip.tsx';
import { HaltedBanner } from './banner/HaltedBanner.tsx';
import { ModeBanner } from './banner/ModeBanner.tsx';
import { ActiveFaults } from './faults/ActiveFaults.tsx';
import { LazyCharts, LazyDesk, LazyStory, LazyViewers } from './frame/LazyParts.tsx';
import { useSockets } from './frame/use-sockets.ts';
import { Announcer } from './palette/Announcer.tsx';
import { LazyToasts } from './palette/LazyToasts.tsx';
import { Overlays } from './palette/Overlays.tsx';
import { PipelinePath } from './pipeline/PipelinePath.tsx';
import { Ribbon } from './ribbon/Ribbon.tsx';
import { ServiceTiles } from './services/ServiceTiles.tsx';
import { TABS, type Tab, useView } from './stores/view-store.ts';
import { TopBar } from './top-bar/TopBar.tsx';

/** The main screen: live, mode and ledger, what we broke, what happens, what to do about it. */
export function Console() {
  const tab = useView((view) => view.tab);
  useSockets();
  return (
    <div className="flex min-h-dvh flex-col gap-1.5 p-2 wide:h-dvh wide:min-h-[760px] wide:overflow-hidden">
      <div className="sticky top-0 z-20 -mx-2 flex flex-col gap-1.5 bg-ground px-2 pb-1 max-wide:-mt-2 max-wide:border-b max-wide:border-line max-wide:pt-2 wide:static wide:pb-0">
        <TopBar />
        <ModeBanner />
        <HaltedBanner />
        <Tabs />
      </div>
      <AnswerStrip />
      <main
        className="flex min-h-0 flex-1 flex-col gap-1.5 wide:grid wide:grid-cols-[272px_minmax(0,1fr)_336px] wide:grid-rows-[auto_auto_minmax(0,1fr)]"
        data-tabs={tab}
      >
        <div className="wide:col-span-3" data-in="live faults">
          <Ribbon />
        </div>
        <div className="wide:col-span-3" data-in="live">
          <PipelinePath />
        </div>
        <LazyDesk />
        <div
          className="flex min-h-0 flex-col gap-1.5 wide:overflow-y-auto wide:pr-px"
          data-in="live queues gpu"
        >
          <ServiceTiles />
          <LazyCharts />
        </div>
        <div className="flex min-h-0 flex-col gap-1.5" data-in="live faults log">
          <ActiveFaults />
          <LazyStory />
          <LazyViewers />
        </div>
      </main>
      <Overlays />
      <Announcer />
      <LazyToasts />
    </div>
  );
}

const TAB_WORD: Record<Tab, string> = {
  live: 'Live',
  faults: 'Faults',
  queues: 'Queues',
  gpu: 'GPU',
  log: 'Log',
};

/** Below 1280 px one part at a time; live, mode, ledger and HALT stay above. */
function Tabs() {
  const tab = useView((view) => view.tab);
  return (
    <nav aria-label="Parts of the console" className="flex gap-1 wide:hidden">
      {TABS.map((each) => (
        <button
          aria-current={tab === each ? 'page' : undefined}
          className={`min-h-9 flex-1 rounded-md text-[13px] font-medium ${tab === each ? 'bg-raised text-ink ring-1 ring-line-strong' : 'text-muted'}`}
          data-testid={`tab-${each}`}
          key={each}
          onClick={() => useView.setState({ tab: each })}
          type="button"
        >
          {TAB_WORD[each]}
        </button>
      ))}
    </nav>
  );
}
