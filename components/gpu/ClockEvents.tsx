'use client';

import type { ClockEventReason, GpuStatus } from '#lib/protocol/state.ts';
import { INK, type Status, StatusMark } from '../visual/StatusMark.tsx';
import { heldWords } from './gpu-readings.ts';

const STATUS: Record<ClockEventReason['severity'], Status> = {
  critical: 'open',
  warning: 'degraded',
  information: 'normal',
};

/** Why the clock is not higher, in NVML's words, and for how long that was so. */
export function ClockEvents({ gpu }: { gpu: GpuStatus }) {
  const { clockEvents } = gpu;
  return (
    <div>
      <p data-testid="gpu-throttled">
        Throttled by heat{' '}
        <b className={`font-semibold ${clockEvents.throttledMs > 0 ? 'text-degraded-ink' : ''}`}>
          {heldWords(clockEvents.throttledMs, clockEvents)}
        </b>
      </p>
      <ul className="mt-1.5 space-y-1" data-testid="clock-events">
        {clockEvents.reasons.map((reason) => (
          <Reason clockEvents={clockEvents} key={reason.word} reason={reason} />
        ))}
      </ul>
    </div>
  );
}

function Reason({
  reason,
  clockEvents,
}: {
  reason: ClockEventReason;
  clockEvents: GpuStatus['clockEvents'];
}) {
  const { word, severity, active, heldMs } = reason;
  const status = active ? STATUS[severity] : 'normal';
  const share = clockEvents.observedMs > 0 ? heldMs / clockEvents.observedMs : 0;
  return (
    <li className="grid grid-cols-[minmax(0,11rem)_4.5rem_minmax(2rem,1fr)] items-center gap-x-2 text-[12px]">
      <span className={`inline-flex items-center gap-1.5 ${active ? `font-semibold ${INK[status]}` : ''}`}>
        <StatusMark size={10} status={status} />
        {word}
      </span>
      <span className={active ? 'font-semibold' : 'text-faint'}>{active ? 'NOW' : 'not now'}</span>
      <span className="flex min-w-0 items-center gap-2 text-muted">
        <span aria-hidden="true" className="h-1.5 min-w-8 flex-1 rounded bg-raised">
          <span
            className="block h-full rounded"
            style={{ width: `${Math.min(1, share) * 100}%`, background: 'var(--area-2)' }}
          />
        </span>
        <span className="whitespace-nowrap">{heldWords(heldMs, clockEvents)}</span>
      </span>
    </li>
  );
}
