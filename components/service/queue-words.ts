import type { QueueStatus } from '#lib/protocol/state.ts';
import { spokenDuration } from '../visual/quantity.ts';
import type { Status } from '../visual/StatusMark.tsx';

const AGE_WARN_MS = 10_000;
const AGE_CRITICAL_MS = 30_000;
/** A difference of the two rates below this says nothing, items a second. */
const RATE_NOISE = 0.05;

export function ageStatus(oldestAgeMs: number | null): Status {
  if (oldestAgeMs === null || oldestAgeMs < AGE_WARN_MS) return 'normal';
  return oldestAgeMs < AGE_CRITICAL_MS ? 'degraded' : 'open';
}

/** When what waits will be done, at the present rates. */
export function drainWords({
  depth,
  inPerSecond,
  outPerSecond,
}: Pick<QueueStatus, 'depth' | 'inPerSecond' | 'outPerSecond'>): string {
  if (depth === 0) return 'nothing waits';
  const netPerSecond = outPerSecond - inPerSecond;
  if (netPerSecond > RATE_NOISE) return `done in about ${spokenDuration((depth / netPerSecond) * 1000)}`;
  return netPerSecond < -RATE_NOISE ? 'growing' : 'steady';
}
