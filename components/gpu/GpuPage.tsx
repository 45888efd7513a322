'use client';

import Link from 'next/link';
import { type ReactNode, useMemo } from 'react';
import type { GpuStatus } from '#lib/protocol/state.ts';
import { ChartGrid } from '../charts/ChartGrid.tsx';
import { ActiveFaults } from '../faults/ActiveFaults.tsx';
import { PageFrame } from '../frame/PageFrame.tsx';
import { SideColumn } from '../frame/SideColumn.tsx';
import { Ribbon } from '../ribbon/Ribbon.tsx';
import { faultsOn } from '../services/service-view.ts';
import { useFaults } from '../stores/faults-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { Story } from '../story/Story.tsx';
import { staleClass, useLive } from '../use-live.ts';
import { SimulatedBadge } from '../visual/SimulatedBadge.tsx';
import { RestartProcess } from '../xray/RestartProcess.tsx';
import { ClockEvents } from './ClockEvents.tsx';
import { GpuCounts } from './GpuCounts.tsx';
import { GpuHead } from './GpuHead.tsx';
import { GpuMeters } from './GpuMeters.tsx';
import { gpuCharts } from './gpu-charts.ts';
import { Thermometer } from './Thermometer.tsx';
import { VramBar } from './VramBar.tsx';
import { Xids } from './Xids.tsx';

/** Everything about the card: memory, heat and clocks, what it gets done, what went wrong, what we do to it. */
export function GpuPage() {
  const gpu = useSystem((store) => store.state?.inference?.gpu ?? null);
  return (
    <PageFrame
      aside={
        <nav aria-label="Services on the card" className="flex flex-wrap gap-1.5">
          {(['gpu', 'yolo26', 'nemotron', 'inference'] as const).map((name) => (
            <Link className="small-button" href={`/services/${name}`} key={name} prefetch={false}>
              {name}
            </Link>
          ))}
        </nav>
      }
      title={
        <>
          GPU <SimulatedBadge />
        </>
      }
    >
      <Head gpu={gpu} />
      <Ribbon />
      <SideColumn first={<ActiveFaults service="gpu" />} last={<Story service="gpu" />}>
        {gpu && <Parts gpu={gpu} />}
        <Charts gpu={gpu} />
        {gpu && <Errors gpu={gpu} />}
      </SideColumn>
    </PageFrame>
  );
}

function useStale(): string {
  const ageMs = useSystem((store) => store.state?.inference?.ageMs);
  return staleClass(useLive(), ageMs);
}

function Head({ gpu }: { gpu: GpuStatus | null }) {
  const known = useSystem((store) => store.state !== null);
  const faults = useFaults((store) => store.faults) ?? [];
  const stale = useStale();
  if (gpu) {
    return (
      <section aria-label="Card" className={`panel px-3 py-2 ${stale}`} data-testid="gpu-card">
        <GpuHead faults={faultsOn('gpu', faults).length} gpu={gpu} stale={stale !== ''} />
      </section>
    );
  }
  return (
    <section aria-label="Card" className="panel stale px-3 py-3 text-muted" data-testid="gpu-unknown">
      {known
        ? 'No report from the inference process: the card is UNKNOWN.'
        : 'Waiting for the first snapshot.'}
      <RestartProcess service="gpu" />
    </section>
  );
}

function Parts({ gpu }: { gpu: GpuStatus }) {
  const stale = useStale();
  return (
    <div className="grid gap-1.5 md:grid-cols-2 wide:grid-cols-6">
      <Part className="wide:col-span-4" stale={stale} title="Memory">
        <VramBar gpu={gpu} />
      </Part>
      <Part className="wide:col-span-2" stale={stale} title="Work">
        <GpuCounts gpu={gpu} />
      </Part>
      <Part className="wide:col-span-2" stale={stale} title="Heat">
        <Thermometer gpu={gpu} />
      </Part>
      <Part className="wide:col-span-2" stale={stale} title="Clock, power, load">
        <GpuMeters gpu={gpu} />
      </Part>
      <Part className="wide:col-span-2" stale={stale} title="Why the clock is not higher">
        <ClockEvents gpu={gpu} />
      </Part>
    </div>
  );
}

function Errors({ gpu }: { gpu: GpuStatus }) {
  return (
    <Part stale={useStale()} title="Xid errors">
      <Xids xids={gpu.xids} />
      <RestartProcess service="gpu" />
    </Part>
  );
}

interface PartProps {
  title: string;
  stale: string;
  className?: string;
  children: ReactNode;
}

/** One group of the card's values, marked as what they are. */
function Part({ title, stale, className = '', children }: PartProps) {
  return (
    <section aria-label={title} className={`panel min-w-0 px-3 py-2 ${className} ${stale}`}>
      <h3 className="panel-title mb-1.5 flex items-center justify-between gap-2">
        {title}
        <SimulatedBadge />
      </h3>
      {children}
    </section>
  );
}

/** The charts know the card's limits as soon as it has told them once. */
function Charts({ gpu }: { gpu: GpuStatus | null }) {
  const limits = gpu?.limits ?? null;
  const maxSmClockMhz = gpu?.maxSmClockMhz ?? null;
  const charts = useMemo(
    () => gpuCharts(limits && maxSmClockMhz !== null ? { ...limits, maxSmClockMhz } : null),
    [limits, maxSmClockMhz],
  );
  return (
    <ChartGrid
      className="auto-rows-[9.5rem] md:grid-cols-3 wide:auto-rows-[8.5rem]"
      definitions={charts}
      rich
    />
  );
}
