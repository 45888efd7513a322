'use client';

import dynamic from 'next/dynamic';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { fetchPart } from '../fetch-part.ts';

/** From what is seen, at which a part is fetched. */
const NEAR = '200px';

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
 * What a phone does not show first. Each part keeps its place and is fetched when that is near what is seen: on a wide
 * screen at once.
 */

export const LazyCharts = () => (
  <WhenNear place={<ChartsPlace />}>
    <Charts />
  </WhenNear>
);

export const LazyDesk = () => (
  <WhenNear place={<DeskPlace />}>
    <Desk />
  </WhenNear>
);

export const LazyStory = () => (
  <WhenNear place={<StoryPlace />}>
    <Told />
  </WhenNear>
);

export const LazyViewers = () => (
  <WhenNear place={<ViewersPlace />}>
    <Seen />
  </WhenNear>
);

/** Fetches what has not been near yet: a server that is gone when it is has nothing to give. What fails says so then. */
export function fetchLazyParts(): void {
  for (const each of Object.values(load)) each().catch(() => {});
}

function WhenNear({ place, children }: { place: ReactNode; children: ReactNode }) {
  const [isNear, setNear] = useState(false);
  const wrap = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // The wrapper has no box of its own.
    const box = wrap.current?.firstElementChild;
    if (!box) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && setNear(true), {
      rootMargin: NEAR,
    });
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  if (isNear) return children;
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
      {['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((each) => (
        <div className="panel" key={each} />
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

function StoryPlace() {
  return (
    <section aria-label="Story" className="panel min-h-24 flex-1" data-in="log">
      <h2 className="panel-title border-b border-line px-3 py-2">Story</h2>
    </section>
  );
}

function ViewersPlace() {
  return (
    <section aria-label="What viewers see" className="panel shrink-0" data-in="live">
      <h2 className="panel-title border-b border-line px-3 py-2">What viewers see</h2>
      <p className="px-3 py-2.5 text-muted">No report from the pipeline.</p>
    </section>
  );
}
