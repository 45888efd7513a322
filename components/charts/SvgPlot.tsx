'use client';

import { memo } from 'react';
import { compact } from '../visual/quantity.ts';
import { areaPath, linePath } from './chart-series.ts';
import { AXIS_WIDTH, limitLines, PLOT_MARGIN, type PlotProps } from './plot-frame.ts';

/** The same drawing in plain paths: where many charts are drawn beside much else, and on narrow screens. */
export const SvgPlot = memo(function SvgPlot({ frame, width, height }: PlotProps) {
  const { definition, points, fromAt, toAt, leftMax, rightMax } = frame;
  const left = AXIS_WIDTH;
  const right = width - PLOT_MARGIN.right;
  const bottom = height - PLOT_MARGIN.bottom;
  const x = (t: number) => left + ((t - fromAt) / (toAt - fromAt)) * (right - left);
  const y = (max: number) => (value: number) =>
    bottom - (Math.min(value, max) / max) * (bottom - PLOT_MARGIN.top);
  const stacked = new Map<number, number>();
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
              data-series={series.key}
              fill="none"
              key={series.key}
              stroke={series.color}
              strokeDasharray={series.axis === 'right' ? '4 3' : '0'}
              strokeWidth="1.6"
            />
          );
        }
        const bases = definition.stacked ? stacked : new Map<number, number>();
        return (
          <path
            d={areaPath(points, series.key, bases, x, scale)}
            data-series={series.key}
            fill={series.color}
            fillOpacity="0.85"
            key={series.key}
          />
        );
      })}
    </svg>
  );
});
