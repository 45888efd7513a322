'use client';

import { memo } from 'react';
import { compact } from '../visual/quantity.ts';
import { linePath } from './chart-series.ts';
import { AXIS_WIDTH, limitLines, PLOT_MARGIN, type PlotProps } from './plot-frame.ts';

/** The same drawing in plain paths: on narrow screens, and until the chart library has come. */
export const SvgPlot = memo(function SvgPlot({ frame, width, height }: PlotProps) {
  const { definition, points, fromAt, toAt, leftMax, rightMax } = frame;
  const left = AXIS_WIDTH;
  const right = width - PLOT_MARGIN.right;
  const bottom = height - PLOT_MARGIN.bottom;
  const x = (t: number) => left + ((t - fromAt) / (toAt - fromAt)) * (right - left);
  const y = (max: number) => (value: number) =>
    bottom - (Math.min(value, max) / max) * (bottom - PLOT_MARGIN.top);
  const stackTop = new Map<number, number>();
  return (
    <svg aria-hidden="true" className="relative" height={height} width={width}>
      {[0, leftMax / 2, leftMax].map((tick) => (
        <g key={tick}>
          <path d={`M${left} ${y(leftMax)(tick)}H${right}`} stroke="var(--line)" />
          <text fill="var(--faint)" fontSize="10" textAnchor="end" x={left - 8} y={y(leftMax)(tick) + 3}>
            {compact(tick)}
          </text>
        </g>
      ))}
      {limitLines(definition, leftMax).map((at) => (
        <path
          d={`M${left} ${y(leftMax)(at)}H${right}`}
          key={at}
          stroke="var(--line-strong)"
          strokeDasharray="3 3"
        />
      ))}
      {definition.series.map((series) => {
        const scale = y(series.axis === 'right' ? rightMax : leftMax);
        if (series.draw !== 'area') {
          return (
            <path
              d={linePath(points, series.key, x, scale)}
              fill="none"
              key={series.key}
              stroke={series.color}
              strokeDasharray={series.axis === 'right' ? '4 3' : '0'}
              strokeWidth="1.6"
            />
          );
        }
        // Each area stands on the sum of those before it; a gap ends the polygon.
        const bars = points.flatMap((point, index) => {
          const value = point[series.key];
          if (value === null || value === undefined) return [];
          const base = stackTop.get(point.t) ?? 0;
          stackTop.set(point.t, base + value);
          const end = points[index + 1]?.t ?? toAt;
          return `M${x(point.t).toFixed(1)} ${scale(base).toFixed(1)}V${scale(base + value).toFixed(1)}H${x(end).toFixed(1)}V${scale(base).toFixed(1)}Z`;
        });
        return <path d={bars.join('')} fill={series.color} fillOpacity="0.85" key={series.key} />;
      })}
    </svg>
  );
});
