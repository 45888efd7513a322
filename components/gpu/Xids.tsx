'use client';

import type { GpuStatus } from '#lib/protocol/state.ts';
import { serverNow } from '../stores/state-store.ts';
import { KEYBOARD_SCROLL } from '../visual/keyboard-scroll.ts';
import { exactTime, spokenDuration, timeOfDay } from '../visual/quantity.ts';
import { StatusMark } from '../visual/StatusMark.tsx';
import { useClock } from '../visual/use-clock.ts';

/** The card's own error reports, newest first. */
export function Xids({ xids }: { xids: GpuStatus['xids'] }) {
  useClock(1_000);
  if (xids.length === 0) return <p className="text-muted">None since the process started.</p>;
  return (
    <ol className="max-h-56 space-y-1.5 overflow-y-auto" data-testid="xids" {...KEYBOARD_SCROLL}>
      {xids.toReversed().map((xid) => (
        <li key={`${xid.at}-${xid.code}`}>
          <p className="flex flex-wrap items-baseline gap-x-2">
            <span className="inline-flex items-center gap-1.5 font-semibold text-open-ink">
              <StatusMark size={10} status="open" />
              Xid {xid.code}
            </span>
            {xid.meaning}
            <time
              className="text-[11px] text-faint"
              dateTime={new Date(xid.at).toISOString()}
              title={exactTime(xid.at)}
            >
              {timeOfDay(xid.at)}, {spokenDuration(Math.max(0, serverNow() - xid.at))} ago
            </time>
          </p>
          <p className="pl-4 text-[12px] text-muted">{xid.action}</p>
        </li>
      ))}
    </ol>
  );
}
