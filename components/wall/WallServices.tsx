'use client';

import { serviceViews } from '../services/service-view.ts';
import { useFaults } from '../stores/faults-store.ts';
import { serverNow, useSystem } from '../stores/state-store.ts';
import { staleClass, useLive } from '../use-live.ts';
import { clockDuration } from '../visual/quantity.ts';
import { BREAKER_WORD, CHIP, StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';

/** Every service that is not well, worst first; of the others only their names. */
export function WallServices() {
  useClock(1_000);
  const pipeline = useSystem((store) => store.state?.pipeline);
  const faults = useFaults((store) => store.faults);
  const live = useLive();
  if (!pipeline) {
    return (
      <p className="panel stale px-4 py-2 text-[22px] text-muted">
        Services: UNKNOWN, no report from the pipeline
      </p>
    );
  }
  const views = serviceViews(pipeline, faults ?? []);
  const well = views.filter((view) => view.status === 'normal');
  return (
    <ul
      aria-label="Services"
      className={`flex flex-wrap items-center gap-2 text-[22px] ${staleClass(live, pipeline.ageMs)}`}
    >
      {views
        .filter((view) => view.status !== 'normal')
        .map(({ name, status, breaker, health }) => (
          <li
            className={`inline-flex items-center gap-2 rounded-md border-2 px-3 py-1 font-bold whitespace-nowrap ${CHIP[status]}`}
            data-testid={`wall-service-${name}`}
            key={name}
          >
            <StatusMark size={18} status={status} />
            {name}
            <span className="font-semibold">
              {breaker && breaker.state !== 'CLOSED'
                ? `${BREAKER_WORD[breaker.state]} ${clockDuration(serverNow() - breaker.since)}`
                : health?.healthy === false
                  ? `DOWN ${clockDuration(serverNow() - health.since)}`
                  : status === 'injected'
                    ? 'INJECTED'
                    : 'UNKNOWN'}
            </span>
          </li>
        ))}
      {well.length > 0 && (
        <li className="inline-flex items-baseline gap-x-2 text-muted">
          <StatusMark size={16} status="normal" />
          <span className="min-w-0">well: {well.map((view) => view.name).join(', ')}</span>
        </li>
      )}
    </ul>
  );
}
