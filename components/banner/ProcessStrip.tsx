'use client';

import type { ProcessStatus } from '#lib/protocol/state.ts';
import { serverNow, useSystem } from '../stores/state-store.ts';
import { staleClass, useLive } from '../use-live.ts';
import { clockDuration } from '../visual/quantity.ts';
import { CHIP, INK, type Status, StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';

/** How each state of a process looks and is called. */
export const PROCESS_LOOK: Record<ProcessStatus['state'], { status: Status; word: string }> = {
  up: { status: 'normal', word: 'up' },
  external: { status: 'normal', word: 'external' },
  starting: { status: 'half', word: 'STARTING' },
  paused: { status: 'degraded', word: 'PAUSED' },
  held: { status: 'open', word: 'HELD DOWN' },
  down: { status: 'open', word: 'DOWN' },
};

/** The processes as the supervisor sees them; one that is down is said, not implied. */
export function ProcessStrip() {
  useClock(1_000);
  const processes = useSystem((store) => store.state?.supervisor?.processes);
  const ageMs = useSystem((store) => store.state?.supervisor?.ageMs);
  const live = useLive();
  if (!processes) return <p className="text-faint">Processes: no report from the supervisor</p>;
  return (
    <ul
      aria-label="Processes"
      className={`flex flex-wrap items-center gap-1 before:mr-1 before:text-[11px] before:text-faint before:content-['processes'] ${staleClass(live, ageMs)}`}
    >
      {processes.map((process) => {
        const { status, word } = PROCESS_LOOK[process.state];
        const well = status === 'normal';
        const title = [
          process.pid ? `pid ${process.pid}` : 'no pid',
          `${process.restarts} restarts`,
          process.lastExit && `last exit: ${process.lastExit}`,
        ];
        return (
          <li
            className={`inline-flex items-center gap-1 rounded px-1.5 text-[11px] leading-5 whitespace-nowrap ${well ? INK.normal : `border font-bold ${CHIP[status]}`}`}
            data-state={process.state}
            data-testid={`process-${process.name}`}
            key={process.name}
            title={title.filter(Boolean).join(' · ')}
          >
            <StatusMark size={9} status={status} />
            {process.name}
            {well ? (
              <span className="sr-only">{word}</span>
            ) : (
              <span>
                {word} {clockDuration(serverNow() - process.since)}
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}
