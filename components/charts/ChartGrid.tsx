'use client';

import { useEffect, useSyncExternalStore } from 'react';
import { useView } from '../stores/view-store.ts';
import { ChartPanel } from './ChartPanel.tsx';
import { CHARTS } from './chart-definitions.ts';
import { redrawCharts } from './chart-loop.ts';
import { FaultHatch } from './FaultHatch.tsx';

const WIDE = '(min-width: 80rem)';

function subscribeWide(listener: () => void): () => void {
  const query = window.matchMedia(WIDE);
  query.addEventListener('change', listener);
  return () => query.removeEventListener('change', listener);
}

/** The eight charts. On narrow screens they are plain paths: the library costs too much there. */
export function ChartGrid() {
  const rich = useSyncExternalStore(
    subscribeWide,
    () => window.matchMedia(WIDE).matches,
    () => false,
  );
  useEffect(
    () =>
      useView.subscribe((view, before) => {
        if (
          view.windowMs !== before.windowMs ||
          view.theme !== before.theme ||
          view.frozenAt !== before.frozenAt
        ) {
          redrawCharts();
        }
      }),
    [],
  );
  return (
    <section
      aria-label="Charts"
      className="grid min-h-0 flex-1 auto-rows-[minmax(9rem,1fr)] grid-cols-1 gap-1.5 sm:grid-cols-2 wide:auto-rows-[minmax(7.5rem,1fr)] wide:grid-cols-4"
      data-in="live queues gpu"
    >
      <FaultHatch />
      {CHARTS.map((definition) => (
        <ChartPanel definition={definition} key={definition.id} rich={rich} />
      ))}
    </section>
  );
}
