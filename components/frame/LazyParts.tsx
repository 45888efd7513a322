'use client';

import dynamic from 'next/dynamic';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { fetchPart } from '../fetch-part.ts';
import { useAtRest } from '../use-at-rest.ts';

/** From what is seen, at which a part is fetched. */
const NEAR = '200px';
/** Where each of the console's charts is shown on a narrow screen; their definitions come with them. */
const CHART_TABS = ['live queues', 'queues', 'live', 'live', 'queues', 'live', 'gpu', 'gpu'];

const load = {
  charts: () => fetchPart(() => import('../charts/ChartGrid.tsx')),
  desk: () => fetchPart(() => import('../desk/FaultDesk.tsx')),
  story: () => fetchPart(() => import('../story/Story.tsx')),
  viewers: () => fetchPart(() => import('../viewers/ViewerEvents.tsx')),
};

const Charts = dynamic(() => load.charts().then(({ ChartGrid }) => ChartGrid), {
  ssr: false,
  loading: () => <ChartsPlace />,
});
const Desk = dynamic(() => load.desk().then(({ FaultDesk }) => FaultDesk), {
  ssr: false,
  loading: () => <DeskPlace />,
});
const Told = dynamic(() => load.story().then(({ Story }) => Story), {
  ssr: false,
  loading: () => <StoryPlace />,
});
const Seen = dynamic(() => load.viewers().then(({ ViewerEvents }) => ViewerEvents), {
  ssr: false,
  loading: () => <ViewersPlace />,
});

/*
 * What a phone does not show first. Each part keeps its place and is fetched when that is near what is seen, on a wide
 * screen at once, or when the page is at rest.
 */

export const LazyCharts = () => (
  <WhenNear part="charts" place={<ChartsPlace />}>
    <Charts />
  </WhenNear>
);

export const LazyDesk = () => (
  <WhenNear part="desk" place={<DeskPlace />}>
    <Desk />
  </WhenNear>
);

export const LazyStory = () => (
  <WhenNear part="story" place={<StoryPlace />}>
    <Told />
  </WhenNear>
);

export const LazyViewers = () => (
  <WhenNear part="viewers" place={<ViewersPlace />}>
    <Seen />
  </WhenNear>
);

/** Who comes back from another page finds everything in its place. */
const wasNear = new Set<keyof typeof load>();

interface WhenNearProps {
  part: keyof typeof load;
  place: ReactNode;
  children: ReactNode;
}

function WhenNear({ part, place, children }: WhenNearProps) {
  const [isNear, setNear] = useState(() => wasNear.has(part));
  // Then all of it: a server that is gone when a part is wanted has nothing to give.
  const atRest = useAtRest();
  const wrap = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // The wrapper has no box of its own.
    const box = wrap.current?.firstElementChild;
    if (!box) return;
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        wasNear.add(part);
        setNear(true);
      },
      { rootMargin: NEAR },
    );
    observer.observe(box);
    return () => observer.disconnect();
  }, [part]);
  if (isNear || atRest) return children;
  return (
    <div className="contents" ref={wrap}>
      {place}
    </div>
  );
}

function ChartsPlace() {
  return (
    <div
      className="grid min-h-0 flex-1 auto-rows-[minmax(9rem,1fr)] grid-cols-1 gap-1.5 sm:grid-cols-2 wide:auto-rows-[minmax(7.5rem,1fr)] wide:grid-cols-4"
      data-in="live queues gpu"
    >
      {CHART_TABS.map((tabs, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: eight places that stay what they are
        <div className="panel" data-in={tabs} key={place} />
      ))}
    </div>
  );
}

function DeskPlace() {
  return (
    <section aria-label="Fault desk" className="panel min-h-96" data-in="faults">
      <h2 className="panel-title border-b border-line px-3 py-2">Fault desk</h2>
    </section>
  );
}

/** On a screen that is not high it makes way for what viewers see. */
export const STORY_LEAST = 'min-h-24 wide:[@media(max-height:960px)]:min-h-19';

function StoryPlace() {
  return (
    <section aria-label="Story" className={`panel flex-1 ${STORY_LEAST}`} data-in="log">
      <h2 className="panel-title border-b border-line px-3 py-2">Story</h2>
    </section>
  );
}

function ViewersPlace() {
  return (
    <section aria-label="What viewers see" className="panel shrink-0" data-in="live">
      <h2 className="panel-title border-b border-line px-3 py-2">What viewers see</h2>
      <p className="px-3 py-2.5 text-muted">Not fetched yet.</p>
    </section>
  );
}
