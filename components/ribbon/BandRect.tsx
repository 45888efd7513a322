import type { Status } from '../visual/StatusMark.tsx';
import type { Band } from './ribbon-series.ts';

/** Of the ribbon's drawing, px before scaling. */
export const ROW = 15;
export const LABEL_WIDTH = 84;

/** Fill and text of a band by status; the word stands in the band where there is room. */
const FILL: Record<Status, { fill: string; ink: string }> = {
  normal: { fill: 'var(--line)', ink: 'var(--muted)' },
  half: { fill: 'var(--half)', ink: 'var(--on-fill)' },
  degraded: { fill: 'var(--degraded)', ink: 'var(--on-fill)' },
  open: { fill: 'var(--open)', ink: 'var(--on-fill)' },
  offline: { fill: 'var(--ink)', ink: 'var(--ground)' },
  injected: { fill: 'url(#fault-hatch)', ink: 'var(--injected-ink)' },
  recovered: { fill: 'var(--recovered)', ink: 'var(--on-fill)' },
  unknown: { fill: 'none', ink: 'var(--muted)' },
  loss: { fill: 'var(--loss)', ink: 'var(--on-fill)' },
};

interface BandRectProps {
  band: Band<unknown>;
  row: number;
  status: Status;
  label: string;
  title: string;
  toAt: number;
  thin?: boolean;
  /** From here to the band there is room for a word that does not fit into it, px. */
  clearFrom?: number;
  x: (at: number) => number;
}

/** One band; its word stands in it where it fits, else before it where there is room. */
export function BandRect({
  band,
  row,
  status,
  label,
  title,
  toAt,
  thin = false,
  clearFrom = Number.POSITIVE_INFINITY,
  x,
}: BandRectProps) {
  const start = Math.max(LABEL_WIDTH, x(band.fromAt));
  const width = Math.max(2, x(Math.min(band.toAt ?? toAt, toAt)) - start);
  const { fill, ink } = FILL[status];
  const y = row * ROW + (thin ? 7 : 2);
  // About 7 px a letter; a word that does not fit whole is left to the tooltip.
  const needed = label.length * 7 + 10;
  const fits = width > needed;
  const beside = !fits && start - clearFrom > needed;
  return (
    <g>
      <title>{title}</title>
      <rect
        fill={fill}
        height={thin ? 2 : ROW - 3}
        rx={thin ? 1 : 2.5}
        stroke={status === 'injected' ? 'var(--injected)' : 'none'}
        width={width}
        x={start}
        y={y}
      />
      {fits && label && (
        <text
          fill={ink}
          fontSize="10"
          fontWeight="600"
          paintOrder="stroke"
          stroke={status === 'injected' ? 'var(--panel)' : 'none'}
          strokeWidth="4"
          x={start + 5}
          y={row * ROW + 11.5}
        >
          {label}
        </text>
      )}
      {beside && label && (
        <text
          fill="var(--injected-ink)"
          fontSize="10"
          fontWeight="600"
          textAnchor="end"
          x={start - 4}
          y={row * ROW + 11.5}
        >
          {label}
        </text>
      )}
    </g>
  );
}
