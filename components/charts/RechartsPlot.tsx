'use client';

import { memo } from 'react';
import { Area, CartesianGrid, ComposedChart, Line, ReferenceLine, XAxis, YAxis } from 'recharts';
import { compact } from '../visual/quantity.ts';
import type { DrawnSeries } from './chart-definitions.ts';
import { AXIS_WIDTH, limitLines, PLOT_MARGIN, type PlotProps } from './plot-frame.ts';

/** Measured: animation, dots and curves cost more than everything else together. */
const CHEAP = { isAnimationActive: false, dot: false, activeDot: false, connectNulls: false } as const;
const TICK = { fontSize: 10, fill: 'var(--faint)' } as const;

/** One committed drawing of a chart, at an explicit size. */
export const RechartsPlot = memo(function RechartsPlot({ frame, width, height }: PlotProps) {
  const { definition, points, fromAt, toAt, leftMax, rightMax } = frame;
  const limits = limitLines(definition, leftMax);
  return (
    <ComposedChart
      accessibilityLayer={false}
      data={points as PlotProps['frame']['points'] & object[]}
      height={height}
      margin={PLOT_MARGIN}
      width={width}
    >
      <CartesianGrid horizontal stroke="var(--line)" vertical={false} yAxisId="left" />
      <XAxis
        allowDataOverflow
        dataKey="t"
        domain={[fromAt, toAt]}
        height={0}
        hide
        scale="linear"
        type="number"
      />
      <YAxis
        allowDataOverflow
        axisLine={false}
        domain={[0, leftMax]}
        interval={0}
        tick={TICK}
        tickFormatter={compact}
        tickLine={false}
        ticks={[0, leftMax / 2, leftMax]}
        type="number"
        width={AXIS_WIDTH}
        yAxisId="left"
      />
      <YAxis
        allowDataOverflow
        domain={[0, rightMax]}
        hide
        orientation="right"
        type="number"
        yAxisId="right"
      />
      {limits.map((at) => (
        <ReferenceLine key={at} stroke="var(--line-strong)" strokeDasharray="3 3" y={at} yAxisId="left" />
      ))}
      {definition.series.map((series) => drawn(series, definition.stacked ?? false))}
    </ComposedChart>
  );
});

function drawn(series: DrawnSeries, stacked: boolean) {
  const yAxisId = series.axis ?? 'left';
  if (series.draw === 'area') {
    return (
      <Area
        {...CHEAP}
        dataKey={series.key}
        fill={series.color}
        fillOpacity={0.85}
        key={series.key}
        stroke="none"
        type="linear"
        yAxisId={yAxisId}
        {...(stacked ? { stackId: 'all' } : {})}
      />
    );
  }
  return (
    <Line
      {...CHEAP}
      dataKey={series.key}
      key={series.key}
      stroke={series.color}
      strokeDasharray={series.axis === 'right' ? '4 3' : '0'}
      strokeWidth={1.6}
      type={series.draw === 'step' ? 'stepAfter' : 'linear'}
      yAxisId={yAxisId}
    />
  );
}
