import { type Clock, systemClock } from '../../lib/chaos/clock.ts';
import { CHARTED_METRICS, type MetricDeclaration, type Series } from '../../lib/protocol/metrics.ts';
import { type Hub, SLOT_MS } from './hub.ts';
import { invalidInput } from './problem.ts';
import type { Recorder } from './recorder.ts';

export interface HistoryRequest {
  names: readonly string[];
  /** Start, epoch ms. @default 15 minutes before the end; at most 24 h ago */
  fromMs?: number | undefined;
  /** End, epoch ms. @default now, which is also the latest */
  toMs?: number | undefined;
  /** Width of a point, ms. @default what gives about 300 points */
  stepMs?: number | undefined;
}

const DEFAULT_RANGE_MS = 15 * 60 * 1000;
export const MAX_RANGE_MS = 24 * 60 * 60 * 1000;
const DEFAULT_POINTS = 300;
export const MAX_POINTS = 4000;

/**
 * What was: the newest 15 minutes from the hub at once, the rest from the recorder. A well-known series that no
 * process has declared yet is left out.
 * @throws {Refusal} INVALID_INPUT for an unknown series, too fine a step or a range that ends before it begins
 */
export async function readHistory(
  sources: { hub: Hub; recorder: Recorder; clock?: Clock },
  request: HistoryRequest,
): Promise<Series[]> {
  const { hub, recorder, clock = systemClock } = sources;
  const now = clock.now();
  const until = Math.min(request.toMs ?? now, now);
  const from = Math.max(request.fromMs ?? until - DEFAULT_RANGE_MS, now - MAX_RANGE_MS);
  if (from >= now) throw invalidInput('fromMs', request.fromMs, `before now (${Math.round(now)})`);
  if (from >= until) throw invalidInput('toMs', request.toMs, `after the start (${Math.round(from)})`);
  const fitting = Math.ceil((until - from) / DEFAULT_POINTS / SLOT_MS) * SLOT_MS;
  const stepMs = request.stepMs ?? fitting;
  const startAt = Math.floor(from / stepMs) * stepMs;
  const points = Math.ceil((until - startAt) / stepMs);
  if (points > MAX_POINTS) {
    const least = Math.ceil((until - from) / (MAX_POINTS - 1));
    throw invalidInput('stepMs', stepMs, `at least ${least} for this range`);
  }
  const declared = request.names.flatMap((name): MetricDeclaration[] => {
    const declaration = hub.declaration(name) ?? recorder.declaration(name);
    if (declaration) return [declaration];
    if (CHARTED_METRICS.includes(name)) return [];
    const known = hub.metrics().map((metric) => metric.name);
    throw invalidInput('names', name, `among ${known.slice(0, 100).join(', ') || 'no series yet'}`);
  });

  const hubFrom = Math.max(hub.oldestAt, hub.createdAt);
  const older = Math.min(points, Math.max(0, Math.ceil((hubFrom - startAt) / stepMs)));
  const recorded = older > 0 ? await recorder.series(request.names, startAt, stepMs, older) : undefined;
  return declared.map(({ name, unit }) => {
    const newer = hub.series(name, startAt + older * stepMs, stepMs, points - older);
    const values = [
      ...(recorded?.get(name) ?? []),
      ...(newer ?? new Array<number | null>(points - older).fill(null)),
    ];
    return { name, unit, startAt, stepMs, values: values.map(rounded) };
  });
}

/** Three decimals, as in a tick: finer than any chart, and a third of the bytes. */
export function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1000) / 1000;
}
