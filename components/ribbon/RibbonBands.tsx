'use client';

import { memo } from 'react';
import type { Fact } from '#lib/protocol/facts.ts';
import type { BreakerState, Mode } from '#lib/protocol/state.ts';
import { PLOT_MARGIN } from '../charts/plot-frame.ts';
import { timeOfDay } from '../visual/quantity.ts';
import { BREAKER_STATUS, BREAKER_WORD, MODE_STATUS } from '../visual/StatusMark.tsx';
import { BandRect, LABEL_WIDTH, ROW } from './BandRect.tsx';
import { axisTicks, marksOf } from './ribbon-marks.ts';
import { type Band, clusterMarks, type FaultBand } from './ribbon-series.ts';

export interface RibbonPicture {
  fromAt: number;
  toAt: number;
  faults: FaultBand[];
  modes: Band<Mode>[];
  breakers: { name: string; bands: Band<BreakerState>[] }[];
  facts: readonly Fact[];
}

/** Of a time below the axis; one that would be cut off is left out, px. */
const TICK_WIDTH = 48;

interface RibbonBandsProps {
  picture: RibbonPicture;
  /** On the page, px. */
  width: number;
  /** How much larger than on the console everything is drawn. */
  scale: number;
  breakersMax: number;
}

/** The bands of one picture: faults, mode, breakers, and marks across all of them. */
export const RibbonBands = memo(function RibbonBands({
  picture,
  width,
  scale,
  breakersMax,
}: RibbonBandsProps) {
  const { fromAt, toAt, faults, modes } = picture;
  const inner = width / scale;
  const right = inner - PLOT_MARGIN.right;
  const x = (at: number) => LABEL_WIDTH + ((at - fromAt) / (toAt - fromAt)) * (right - LABEL_WIDTH);
  const faultRows = Math.max(1, ...faults.map((band) => band.row + 1));
  const breakers = picture.breakers.slice(0, breakersMax);
  const rows = faultRows + 1 + Math.max(1, breakers.length);
  const axisY = rows * ROW + 4;
  const marks = clusterMarks(marksOf(picture.facts, fromAt, toAt, x));
  const ticks = axisTicks(fromAt, toAt);
  const summary = `${faults.length} faults, ${modes.length} modes, ${breakers.length} breakers that moved in this window`;
  return (
    <svg
      aria-label={summary}
      height={(axisY + 14) * scale}
      role="img"
      viewBox={`0 0 ${inner} ${axisY + 14}`}
      width={width}
    >
      {ticks.map((at) => (
        <g key={at}>
          <path d={`M${x(at)} 0V${axisY}`} stroke="var(--line)" strokeDasharray="2 3" />
          {x(at) + TICK_WIDTH / 2 <= inner && (
            <text fill="var(--faint)" fontSize="10" textAnchor="middle" x={x(at)} y={axisY + 11}>
              {timeOfDay(at)}
            </text>
          )}
        </g>
      ))}
      <RowLabel row={0} text="faults" />
      {faults.map((band, index) => (
        <BandRect
          band={band}
          clearFrom={endOfRowBefore(faults, index, x, toAt)}
          key={band.value.id}
          label={band.value.label}
          row={band.row}
          status="injected"
          title={`${band.value.label} by ${band.value.by}`}
          toAt={toAt}
          x={x}
        />
      ))}
      {faults.length === 0 && <Empty row={0} text="none in this window" />}
      <RowLabel row={faultRows} text="mode" />
      {modes.map((band) => (
        <BandRect
          band={band}
          key={band.fromAt}
          label={band.value}
          row={faultRows}
          status={MODE_STATUS[band.value]}
          title={band.value}
          toAt={toAt}
          x={x}
        />
      ))}
      {modes.length === 0 && <Empty row={faultRows} text="unknown" />}
      {breakers.map((breaker, index) => (
        <g key={breaker.name}>
          <RowLabel row={faultRows + 1 + index} text={breaker.name} />
          {breaker.bands.map((band) => (
            <BandRect
              band={band}
              key={band.fromAt}
              label={band.value === 'CLOSED' ? '' : BREAKER_WORD[band.value]}
              row={faultRows + 1 + index}
              status={BREAKER_STATUS[band.value]}
              thin={band.value === 'CLOSED'}
              title={`${breaker.name} ${BREAKER_WORD[band.value]}`}
              toAt={toAt}
              x={x}
            />
          ))}
        </g>
      ))}
      {breakers.length === 0 && (
        <>
          <RowLabel row={faultRows + 1} text="breakers" />
          <Empty row={faultRows + 1} text={modes.length === 0 ? 'unknown' : 'all closed in this window'} />
        </>
      )}
      {marks.map((mark) => (
        <g key={`${mark.x}-${mark.kind}`}>
          <title>{mark.texts.join('\n')}</title>
          <path
            d={`M${mark.x} 0V${axisY}`}
            stroke={mark.kind === 'halt' ? 'var(--loss)' : 'var(--muted)'}
            strokeWidth={mark.kind === 'halt' ? 2 : 1}
          />
          <text
            fill="var(--muted)"
            fontSize="9"
            fontWeight="600"
            textAnchor={mark.x > right - 40 ? 'end' : 'start'}
            x={mark.x + (mark.x > right - 40 ? -3 : 3)}
            y={axisY - 1}
          >
            {mark.kind === 'halt' ? 'HALT' : mark.texts.length > 1 ? `+${mark.texts.length}` : mark.kind}
          </text>
        </g>
      ))}
    </svg>
  );
});

/** Where the row's previous fault ends, px; the start of the axis when there is none. */
function endOfRowBefore(
  faults: RibbonPicture['faults'],
  index: number,
  x: (at: number) => number,
  toAt: number,
): number {
  const before = faults.slice(0, index).findLast((band) => band.row === faults[index]?.row);
  return before ? x(before.toAt ?? toAt) : LABEL_WIDTH;
}

function RowLabel({ row, text }: { row: number; text: string }) {
  return (
    <text fill="var(--muted)" fontSize="11" x="0" y={row * ROW + 12}>
      {text}
    </text>
  );
}

function Empty({ row, text }: { row: number; text: string }) {
  return (
    <text fill="var(--faint)" fontSize="11" x={LABEL_WIDTH + 4} y={row * ROW + 12}>
      {text}
    </text>
  );
}
