'use client';

import type { ServiceName } from '#lib/protocol/faults.ts';
import { ChartGrid } from '../charts/ChartGrid.tsx';
import { ActiveFaults } from '../faults/ActiveFaults.tsx';
import { PageFrame } from '../frame/PageFrame.tsx';
import { SideColumn } from '../frame/SideColumn.tsx';
import { Ribbon } from '../ribbon/Ribbon.tsx';
import { useFaults } from '../stores/faults-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { Story } from '../story/Story.tsx';
import { staleClass, useLive } from '../use-live.ts';
import { SimulatedBadge } from '../visual/SimulatedBadge.tsx';
import { ServiceBreaker } from './ServiceBreaker.tsx';
import { ServiceCalls } from './ServiceCalls.tsx';
import { ServiceHead } from './ServiceHead.tsx';
import { ServiceMoves } from './ServiceMoves.tsx';
import { ServiceNav } from './ServiceNav.tsx';
import { ServicePool } from './ServicePool.tsx';
import { ServicePromises } from './ServicePromises.tsx';
import { ServiceQueues } from './ServiceQueues.tsx';
import { serviceCharts } from './service-charts.ts';
import { serviceSubject } from './service-subject.ts';

/** Whose report tells the most of a service that the pipeline does not call. */
const REPORT_OF: Partial<Record<ServiceName, 'inference' | 'proxy' | 'supervisor'>> = {
  gpu: 'inference',
  inference: 'supervisor',
  pipeline: 'supervisor',
  network: 'proxy',
};

/** Everything about one service: its state and breaker, its calls, what waits for it, what we do to it, what became of it. */
export function ServicePage({ name }: { name: ServiceName }) {
  const state = useSystem((store) => store.state);
  const faults = useFaults((store) => store.faults);
  const stale = staleClass(useLive(), state?.[REPORT_OF[name] ?? 'pipeline']?.ageMs);
  const subject = serviceSubject(name, state, faults ?? []);
  const charts = serviceCharts(name);
  return (
    <PageFrame
      aside={<ServiceNav here={name} />}
      title={
        <>
          {name}
          {name === 'gpu' && <SimulatedBadge />}
        </>
      }
    >
      <ServiceHead stale={stale} subject={subject} />
      <Ribbon />
      <SideColumn
        first={
          <>
            <ActiveFaults service={name} />
            <ServicePromises service={name} />
          </>
        }
        last={<Story service={name} />}
      >
        <div className="grid gap-1.5 md:grid-cols-[3fr_2fr]">
          <ServiceBreaker stale={stale} subject={subject} />
          <div className="flex min-w-0 flex-col gap-1.5 [&>*:last-child]:flex-1">
            <ServiceCalls stale={stale} subject={subject} />
            <ServicePool stale={stale} subject={subject} />
            <ServiceQueues stale={stale} subject={subject} />
          </div>
        </div>
        <ChartGrid
          rich
          className={`auto-rows-[9.5rem] wide:auto-rows-[8.5rem] ${charts.length % 4 === 0 ? 'wide:grid-cols-4' : 'md:grid-cols-3'}`}
          definitions={charts}
        />
        {subject.breaker && <ServiceMoves breaker={subject.breaker.name} />}
      </SideColumn>
    </PageFrame>
  );
}
