'use client';

import dynamic from 'next/dynamic';
import { type ComponentType, useEffect, useRef, useState } from 'react';
import { fetchPart } from '../fetch-part.ts';
import { useAtRest } from '../use-at-rest.ts';
import { CHART_TABS, CHARTS_GRID, STORY_LEAST } from './part-places.ts';

/*
 * What a phone does not show first. Each part keeps its place and is fetched when that is near what is seen, on a wide
 * screen at once, or when the page is at rest.
 */

export const LazyCharts = lazyPart(ChartsPlace, () =>
  import('../charts/ChartGrid.tsx').then(({ ChartGrid }) => ChartGrid),
);
export const LazyDesk = lazyPart(DeskPlace, () =>
  import('../desk/FaultDesk.tsx').then(({ FaultDesk }) => FaultDesk),
);
export const LazyStory = lazyPart(StoryPlace, () => import('../story/Story.tsx').then(({ Story }) => Story));
export const LazyViewers = lazyPart(ViewersPlace, () =>
  import('../viewers/ViewerEvents.tsx').then(({ ViewerEvents }) => ViewerEvents),
);

/** From what is seen, at which a part is fetched. */
const NEAR = '200px';

function lazyPart(Place: ComponentType, load: () => Promise<ComponentType>): ComponentType {
  const Part = dynamic(() => fetchPart(load), { ssr: false, loading: () => <Place /> });
  /** Who comes back from another page finds everything in its place. */
  let wasShown = false;
  return function LazyPart() {
    const [isNear, setNear] = useState(wasShown);
    // Then all of it: a server that is gone when a part is wanted has nothing to give.
    const atRest = useAtRest();
    const isShown = isNear || atRest;
    const wrap = useRef<HTMLDivElement>(null);
    useEffect(() => {
      if (isShown) wasShown = true;
      // The wrapper has no box of its own.
      const box = wrap.current?.firstElementChild;
      if (isShown || !box) return;
      const observer = new IntersectionObserver(
        (entries) => {
          if (entries.some(({ isIntersecting }) => isIntersecting)) setNear(true);
        },
        { rootMargin: NEAR },
      );
      observer.observe(box);
      return () => observer.disconnect();
    }, [isShown]);
    if (isShown) return <Part />;
    return (
      <div className="contents" ref={wrap}>
        <Place />
      </div>
    );
  };
}

function ChartsPlace() {
  return (
    <div className={`grid grid-cols-1 gap-1.5 sm:grid-cols-2 ${CHARTS_GRID}`} data-in="live queues gpu">
      {Object.entries(CHART_TABS).map(([chart, tabs]) => (
        <div className="panel" data-in={tabs.join(' ')} key={chart} />
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
