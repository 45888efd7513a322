'use client';

import { AXIS_WIDTH, PLOT_MARGIN, type PlotProps } from './plot-frame.ts';

/**
 * When faults were in force, hatched behind a plot. One path however many there were: as elements of the chart library
 * sixty short faults kept the page busy all the time.
 */
export function FaultBands({ frame, width, height }: PlotProps) {
  const { faults, fromAt, toAt } = frame;
  const scale = (width - PLOT_MARGIN.right - AXIS_WIDTH) / (toAt - fromAt);
  const x = (at: number) => AXIS_WIDTH + (Math.min(Math.max(at, fromAt), toAt) - fromAt) * scale;
  const bottom = height - PLOT_MARGIN.bottom;
  const bars = faults.map((band) => {
    const start = x(band.fromAt);
    const end = Math.max(start + 1, x(band.toAt ?? toAt));
    return `M${start.toFixed(1)} ${PLOT_MARGIN.top}H${end.toFixed(1)}V${bottom}H${start.toFixed(1)}Z`;
  });
  return (
    <svg aria-hidden="true" className="absolute inset-0" height={height} width={width}>
      <path d={bars.join('')} fill="url(#fault-hatch)" />
    </svg>
  );
}
