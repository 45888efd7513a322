import type { GpuStatus } from '#lib/protocol/state.ts';
import { spokenDuration } from '../visual/quantity.ts';
import type { Status } from '../visual/StatusMark.tsx';

export interface MemoryPart {
  key: 'allocated' | 'cached' | 'tenants' | 'free';
  word: string;
  mib: number;
  /** Of the whole card, 0–1. */
  share: number;
}

export interface MemoryReading {
  parts: MemoryPart[];
  /** Where on the bar the next image no longer fits, 0–1. */
  outOfMemoryShare: number;
  /** Whether it does not fit now, and why. */
  outOfMemory: 'full' | 'fragmented' | null;
}

/** The card's memory as a bar; null while there is no card to hold any. */
export function memoryReading({
  memory,
  imageMib,
}: Pick<GpuStatus, 'memory' | 'imageMib'>): MemoryReading | null {
  const { totalMib, allocatedMib, cachedMib, tenantsMib, freeMib, largestFreeMib } = memory;
  if (allocatedMib + cachedMib + tenantsMib + freeMib === 0 || totalMib === 0) return null;
  const part = (key: MemoryPart['key'], word: string, mib: number): MemoryPart => ({
    key,
    word,
    mib,
    share: mib / totalMib,
  });
  return {
    parts: [
      part('allocated', 'allocated', allocatedMib),
      part('cached', 'cached', cachedMib),
      part('tenants', 'other tenants', tenantsMib),
      part('free', 'free', freeMib),
    ],
    outOfMemoryShare: Math.max(0, 1 - imageMib / totalMib),
    outOfMemory: largestFreeMib >= imageMib ? null : freeMib + cachedMib >= imageMib ? 'fragmented' : 'full',
  };
}

export interface HeatReading {
  status: Status;
  word: string;
}

/** What the temperature makes the card do. The flags outlast the heat that set them, so they go first. */
export function heatReading({
  temperatureC,
  limits,
  paused,
  throttled,
}: Pick<GpuStatus, 'temperatureC' | 'limits' | 'paused' | 'throttled'>): HeatReading {
  if (temperatureC >= limits.shutdownC) return { status: 'open', word: 'SHUTDOWN' };
  if (temperatureC >= limits.hardwareC) return { status: 'open', word: 'HW SLOWDOWN' };
  if (paused) return { status: 'open', word: 'PAUSED BY HEAT' };
  if (throttled.length > 0) return { status: 'degraded', word: 'THROTTLED' };
  if (temperatureC >= limits.targetC) return { status: 'degraded', word: 'SLOWING DOWN' };
  return { status: 'normal', word: 'COOL' };
}

/** `42 s of the last 5 min`; says so when less than that was seen. */
export function heldWords(heldMs: number, { windowMs, observedMs }: GpuStatus['clockEvents']): string {
  const held = heldMs === 0 ? 'never' : spokenDuration(heldMs);
  // The second in which the window begins is never whole.
  return observedMs < windowMs - 2_000
    ? `${held} in the ${spokenDuration(observedMs)} seen`
    : `${held} of the last ${spokenDuration(windowMs)}`;
}

/** `2.9 GiB`, `640 MiB`. */
export function mebibytes(mib: number): string {
  return mib < 1024 ? `${Math.round(mib)} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
}
