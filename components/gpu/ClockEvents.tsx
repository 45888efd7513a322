'use client';

import type { ClockEventReason, GpuStatus } from '#lib/protocol/state.ts';
import { spokenDuration } from '../visual/quantity.ts';
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
          <Reason key={reason.word} reason={reason} />
        ))}
      </ul>
    </div>
  );
}

function Reason({ reason }: { reason: ClockEventReason }) {
  const { word, severity, active, heldMs } = reason;
  const status = active ? STATUS[severity] : 'normal';
  return (
    <li className="grid grid-cols-[minmax(0,1fr)_3.5rem_5rem] items-center gap-x-2 text-[12px]">
      <span
        className={`inline-flex items-center gap-1.5 ${active ? `font-semibold ${status === 'normal' ? 'text-ink' : INK[status]}` : 'text-muted'}`}
      >
        <StatusMark size={10} status={status} />
        {word}
      </span>
      <span className={active ? 'font-semibold' : 'text-faint'}>{active ? 'NOW' : 'not now'}</span>
      <span className="text-right whitespace-nowrap text-muted">
        {heldMs === 0 ? 'never' : spokenDuration(heldMs)}
      </span>
    </li>
  );
}
