'use client';

import { useEffect, useSyncExternalStore } from 'react';
import { CHARTS_GRID } from '../frame/part-places.ts';
import { useView } from '../stores/view-store.ts';
import { ChartPanel } from './ChartPanel.tsx';
import { CHARTS, type ChartDefinition } from './chart-definitions.ts';
import { redrawCharts } from './chart-loop.ts';
import { FaultHatch } from './FaultHatch.tsx';

const WIDE = '(min-width: 80rem)';

function subscribeWide(listener: () => void): () => void {
  const query = window.matchMedia(WIDE);
  query.addEventListener('change', listener);
  return () => query.removeEventListener('change', listener);
}

interface ChartGridProps {
  /** At most eight, else frames are lost. @default those of the console */
  definitions?: readonly ChartDefinition[];
  /**
   * Drawn by the chart library where the screen is wide. Eight of its charts beside the whole console cost 15 % of the
   * main thread. @default plain paths
   */
  rich?: boolean;
  /** Of the grid on wide screens. @default that of the console: four columns that share the height */
  className?: string;
}

/** Charts on one time axis. */
export function ChartGrid({ definitions = CHARTS, className = CHARTS_GRID, rich = false }: ChartGridProps) {
  const wide = useSyncExternalStore(
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
      className={`grid grid-cols-1 gap-1.5 sm:grid-cols-2 ${className}`}
      data-in="live queues gpu"
    >
      <FaultHatch />
      {definitions.map((definition) => (
        <ChartPanel definition={definition} key={definition.id} rich={rich && wide} />
      ))}
    </section>
  );
}
