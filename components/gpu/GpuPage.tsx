'use client';

import Link from 'next/link';
import { type ReactNode, useMemo } from 'react';
import type { GpuStatus } from '#lib/protocol/state.ts';
import { ChartGrid } from '../charts/ChartGrid.tsx';
import { ActiveFaults } from '../faults/ActiveFaults.tsx';
import { PageFrame } from '../frame/PageFrame.tsx';
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
      <Ribbon />
      <div className="grid gap-1.5 wide:grid-cols-[minmax(0,1fr)_336px]">
        <div className="flex min-w-0 flex-col gap-1.5">
          <Card gpu={gpu} />
          <Charts gpu={gpu} />
        </div>
        <div className="flex min-w-0 flex-col gap-1.5">
          <ActiveFaults service="gpu" />
          <Story service="gpu" />
        </div>
      </div>
    </PageFrame>
  );
}

function Card({ gpu }: { gpu: GpuStatus | null }) {
  const known = useSystem((store) => store.state !== null);
  const ageMs = useSystem((store) => store.state?.inference?.ageMs);
  const faults = useFaults((store) => store.faults) ?? [];
  const stale = staleClass(useLive(), ageMs);
  if (!gpu) {
    return (
      <section aria-label="Card" className="panel stale px-3 py-3 text-muted" data-testid="gpu-unknown">
        <p>
          {known
            ? 'No report from the inference process: the card is UNKNOWN.'
            : 'Waiting for the first snapshot.'}
        </p>
        <RestartProcess service="gpu" />
      </section>
    );
  }
  return (
    <>
      <section aria-label="Card" className={`panel px-3 py-2 ${stale}`} data-testid="gpu-card">
        <GpuHead faults={faultsOn('gpu', faults).length} gpu={gpu} stale={stale !== ''} />
      </section>
      <div className="grid gap-1.5 md:grid-cols-2">
        <Part stale={stale} title="Memory" wide>
          <VramBar gpu={gpu} />
        </Part>
        <Part stale={stale} title="Heat">
          <Thermometer gpu={gpu} />
        </Part>
        <Part stale={stale} title="Clock, power, load">
          <GpuMeters gpu={gpu} />
        </Part>
        <Part stale={stale} title="Why the clock is not higher">
          <ClockEvents gpu={gpu} />
        </Part>
        <Part stale={stale} title="Work">
          <GpuCounts gpu={gpu} />
        </Part>
        <Part simulated={false} stale={stale} title="Errors and restarts" wide>
          <div className="grid gap-x-6 md:grid-cols-2">
            <div>
              <h4 className="mb-1 flex items-center gap-2 text-[12px] font-semibold">
                Xid <SimulatedBadge />
              </h4>
              <Xids xids={gpu.xids} />
            </div>
            <RestartProcess service="gpu" />
          </div>
        </Part>
      </div>
    </>
  );
}

interface PartProps {
  title: string;
  stale: string;
  wide?: boolean;
  /** @default true */
  simulated?: boolean;
  children: ReactNode;
}

function Part({ title, stale, wide = false, simulated = true, children }: PartProps) {
  return (
    <section aria-label={title} className={`panel min-w-0 px-3 py-2 ${wide ? 'md:col-span-2' : ''} ${stale}`}>
      <h3 className="panel-title mb-1.5 flex items-center justify-between gap-2">
        {title}
        {simulated && <SimulatedBadge />}
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
    <ChartGrid className="auto-rows-[9.5rem] md:grid-cols-3 wide:auto-rows-[8.5rem]" definitions={charts} />
  );
}
