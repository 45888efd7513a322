import type { SeriesRing } from '../live/series-ring.ts';

/** Points a chart draws at most for each series: what keeps the main thread free. */
export const POINTS_MAX = 150;

/** How the samples of one bucket become one point. */
export type Reduce = 'max' | 'mean' | 'last';

export interface ChartSeries {
  /** Key in the points and in the legend. */
  key: string;
  metric: string;
  reduce: Reduce;
  /** Multiplies each sample, for example 0.001 to draw ms as s. @default 1 */
  factor?: number;
}

/** One point; null is a gap. `t` is epoch ms on the server's clock. */
export type ChartPoint = { t: number } & Record<string, number | null>;

/** Width of a bucket so that at most `POINTS_MAX` fit: a multiple of the ring's step. */
export function bucketMs(windowMs: number, stepMs: number): number {
  return Math.max(1, Math.ceil(windowMs / POINTS_MAX / stepMs)) * stepMs;
}

/**
 * Thins a window to buckets that lie on an absolute grid, so that points do not shimmer while the window moves.
 * A bucket without a sample is a gap.
 */
export function thin(
  ring: SeriesRing,
  series: readonly ChartSeries[],
  toAt: number,
  windowMs: number,
): ChartPoint[] {
  const width = bucketMs(windowMs, ring.stepMs);
  const first = Math.ceil((toAt - windowMs) / width) * width;
  const points: ChartPoint[] = [];
  for (let start = first; start <= toAt; start += width) {
    const point: ChartPoint = { t: start };
    for (const each of series) {
      const value = reduceBucket(ring, each, start, Math.min(start + width, toAt + 1));
      point[each.key] = Number.isNaN(value) ? null : value * (each.factor ?? 1);
    }
    points.push(point);
  }
  return points;
}

function reduceBucket(ring: SeriesRing, series: ChartSeries, fromAt: number, toAt: number): number {
  let count = 0;
  let sum = 0;
  let max = Number.NEGATIVE_INFINITY;
  let last = Number.NaN;
  for (let at = fromAt; at < toAt; at += ring.stepMs) {
    const value = ring.at(series.metric, at);
    if (Number.isNaN(value)) continue;
    count++;
    sum += value;
    max = Math.max(max, value);
    last = value;
  }
  if (count === 0) return Number.NaN;
  switch (series.reduce) {
    case 'max':
      return max;
    case 'mean':
      return sum / count;
    case 'last':
      return last;
  }
}

/** The next of 1, 2, 5, 10, 20, 50 … at or above a value: an axis that does not jump with each sample. */
export function snapUp(value: number): number {
  if (!(value > 0)) return 1;
  const magnitude = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 5]) {
    // Tolerates the rounding of 0.1 + 0.2.
    if (value <= step * magnitude * (1 + 1e-9)) return step * magnitude;
  }
  return 10 * magnitude;
}

/** Upper end of an axis: the largest stacked or single value, snapped, at least `floor`. */
export function domainMax(
  points: readonly ChartPoint[],
  keys: readonly string[],
  stacked: boolean,
  floor: number,
): number {
  let max = floor;
  for (const point of points) {
    let sum = 0;
    for (const key of keys) {
      const value = point[key];
      if (value === null || value === undefined) continue;
      sum += value;
      if (!stacked) max = Math.max(max, value);
    }
    if (stacked) max = Math.max(max, sum);
  }
  return snapUp(max);
}

/** The newest sample within `withinMs` before a time; null when there is none: an old number is not a number. */
export function newest(ring: SeriesRing, metric: string, at: number, withinMs = 2_000): number | null {
  for (let back = 0; back <= withinMs; back += ring.stepMs) {
    const value = ring.at(metric, at - back);
    if (!Number.isNaN(value)) return value;
  }
  return null;
}

/** How often a chart is drawn anew: no more often than the picture can change by a pixel. */
export function commitPeriodMs(windowMs: number): number {
  return Math.min(2_000, Math.max(500, windowMs / 300));
}

/** SVG path parts of a line, one for each stretch without gap. `x` and `y` map to pixels. */
export function linePath(
  points: readonly ChartPoint[],
  key: string,
  x: (t: number) => number,
  y: (value: number) => number,
): string {
  let path = '';
  let drawing = false;
  for (const point of points) {
    const value = point[key];
    if (value === null || value === undefined) {
      drawing = false;
      continue;
    }
    path += `${drawing ? 'L' : 'M'}${x(point.t).toFixed(1)} ${y(value).toFixed(1)}`;
    drawing = true;
  }
  return path;
}

/**
 * SVG path of an area, one closed part for each stretch without gap. It stands on `bases` (by time, 0 where absent), to
 * which it adds its own height for the next one.
 */
export function areaPath(
  points: readonly ChartPoint[],
  key: string,
  bases: Map<number, number>,
  x: (t: number) => number,
  y: (value: number) => number,
): string {
  let path = '';
  let top = '';
  let floor = '';
  const close = () => {
    if (top !== '') path += `M${top.slice(1)}${floor}Z`;
    top = '';
    floor = '';
  };
  for (const point of points) {
    const value = point[key];
    if (value === null || value === undefined) {
      close();
      continue;
    }
    const base = bases.get(point.t) ?? 0;
    bases.set(point.t, base + value);
    const at = x(point.t).toFixed(1);
    top += `L${at} ${y(base + value).toFixed(1)}`;
    floor = `L${at} ${y(base).toFixed(1)}${floor}`;
  }
  close();
  return path;
}
