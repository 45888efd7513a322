'use client';

import type { ServiceName } from '#lib/protocol/faults.ts';
import { ChartGrid } from '../charts/ChartGrid.tsx';
import { ActiveFaults } from '../faults/ActiveFaults.tsx';
import { PageFrame } from '../frame/PageFrame.tsx';
import { Ribbon } from '../ribbon/Ribbon.tsx';
import { useFaults } from '../stores/faults-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { Story } from '../story/Story.tsx';
import { staleClass, useLive } from '../use-live.ts';
import { SimulatedBadge } from '../visual/SimulatedBadge.tsx';
import { ServiceBreaker } from './ServiceBreaker.tsx';
import { ServiceCalls } from './ServiceCalls.tsx';
import { ServiceHead } from './ServiceHead.tsx';
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
      <Ribbon />
      <div className="grid gap-1.5 wide:grid-cols-[minmax(0,1fr)_336px]">
        <ServiceParts name={name} />
        <div className="flex min-w-0 flex-col gap-1.5">
          <ActiveFaults service={name} />
          <ServicePromises service={name} />
          <Story service={name} />
        </div>
      </div>
    </PageFrame>
  );
}

function ServiceParts({ name }: { name: ServiceName }) {
  const state = useSystem((store) => store.state);
  const faults = useFaults((store) => store.faults);
  const live = useLive();
  const subject = serviceSubject(name, state, faults ?? []);
  const stale = staleClass(live, state?.[REPORT_OF[name] ?? 'pipeline']?.ageMs);
  return (
    <div className="flex min-w-0 flex-col gap-1.5">
      <ServiceHead stale={stale} subject={subject} />
      <ChartGrid
        className="auto-rows-[9.5rem] md:grid-cols-3 wide:auto-rows-[8.5rem]"
        definitions={serviceCharts(name)}
      />
      <ServiceBreaker stale={stale} subject={subject} />
      <div className="grid gap-1.5 md:grid-cols-2">
        <ServiceCalls stale={stale} subject={subject} />
        <ServicePool stale={stale} subject={subject} />
        <ServiceQueues stale={stale} subject={subject} />
      </div>
    </div>
  );
}
