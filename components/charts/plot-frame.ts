import type { Band } from '../ribbon/ribbon-series.ts';
import type { ChartDefinition, DrawnSeries } from './chart-definitions.ts';
import { type ChartPoint, domainMax } from './chart-series.ts';

/** Same margins in ribbon and charts: one time axis. Pixels. */
export const AXIS_WIDTH = 34;
export const PLOT_MARGIN = { top: 6, right: 6, bottom: 6, left: 0 } as const;

/** Everything one drawing of a chart needs. */
export interface PlotFrame {
  definition: ChartDefinition;
  points: readonly ChartPoint[];
  fromAt: number;
  toAt: number;
  leftMax: number;
  rightMax: number;
  faults: readonly Band<unknown>[];
}

export interface PlotProps {
  frame: PlotFrame;
  width: number;
  height: number;
}

export function onAxis(definition: ChartDefinition, axis: 'left' | 'right'): DrawnSeries[] {
  return definition.series.filter((series) => (series.axis ?? 'left') === axis);
}

/** Where lines are drawn across the left axis: its limits, and from where its numbers are marked. */
export function limitLines({ limits = [], series }: ChartDefinition, leftMax: number): number[] {
  const marked = series.flatMap(({ axis = 'left', warnAt, criticalAt }) =>
    axis === 'left' ? [warnAt, criticalAt] : [],
  );
  const lines = [...limits, ...marked.filter((at): at is number => at !== undefined && at > 1)];
  return [...new Set(lines)].filter((at) => at < leftMax);
}

/** Ends of both axes. `ceiling`, when known, is the left end exactly. */
export function axisEnds(
  definition: ChartDefinition,
  points: readonly ChartPoint[],
  ceiling: number | null,
): { leftMax: number; rightMax: number } {
  const keys = (axis: 'left' | 'right') => onAxis(definition, axis).map((series) => series.key);
  return {
    leftMax: ceiling ?? domainMax(points, keys('left'), definition.stacked ?? false, definition.floor),
    rightMax: domainMax(points, keys('right'), false, 1),
  };
}
