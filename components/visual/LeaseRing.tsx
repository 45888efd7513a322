'use client';

import { useClock } from './use-clock.ts';

/** A ring that empties with the lease. Decorative: the time left is written beside it. */
export function LeaseRing({
  deadlineMs,
  ttlMs,
  size = 16,
}: {
  deadlineMs: number;
  ttlMs: number;
  size?: number;
}) {
  const nowMs = useClock(500);
  const share = Math.min(1, Math.max(0, (deadlineMs - nowMs) / ttlMs));
  const circumference = 2 * Math.PI * 6;
  return (
    <svg aria-hidden="true" className="shrink-0 -rotate-90" height={size} viewBox="0 0 16 16" width={size}>
      <circle cx="8" cy="8" fill="none" r="6" stroke="currentColor" strokeOpacity="0.25" strokeWidth="2.5" />
      <circle
        cx="8"
        cy="8"
        fill="none"
        r="6"
        stroke="currentColor"
        strokeDasharray={`${circumference * share} ${circumference}`}
        strokeWidth="2.5"
      />
    </svg>
  );
}
