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
import type { Unheard } from './unheard.ts';

export interface RibbonPicture {
  fromAt: number;
  toAt: number;
  faults: FaultBand[];
  modes: Band<Mode>[];
  breakers: { name: string; bands: Band<BreakerState>[] }[];
  facts: readonly Fact[];
  unheard: Unheard;
}

/** Where the words of the marks stand, below the bands, px. */
const MARK_ROW = 10;
const AXIS_ROW = 14;
/** With neither faults nor breakers to show. */
export const LEAST_HEIGHT = 3 * ROW + MARK_ROW + AXIS_ROW;
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
  const axisY = rows * ROW + MARK_ROW;
  const marks = clusterMarks(marksOf(picture.facts, fromAt, toAt, x));
  const ticks = apart(axisTicks(fromAt, toAt), x);
  const summary = `${faults.length} faults, ${modes.length} modes, ${breakers.length} breakers that moved in this window`;
  return (
    <svg
      aria-label={summary}
      height={(axisY + AXIS_ROW) * scale}
      role="img"
      viewBox={`0 0 ${inner} ${axisY + AXIS_ROW}`}
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
          label={band.value.shown}
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
      {picture.unheard.pipeline !== null && (
        <NotHeard fromX={x(picture.unheard.pipeline)} right={right} row={faultRows} rows={rows} />
      )}
      {picture.unheard.all !== null && (
        <NotHeard fromX={x(picture.unheard.all)} right={right} row={0} rows={rows} />
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

/** Times whose words would touch are left out, from the newest back. */
function apart(ticks: readonly number[], x: (at: number) => number): number[] {
  const [first = 0, second = Number.POSITIVE_INFINITY] = ticks;
  const every = Math.max(1, Math.ceil((TICK_WIDTH + 4) / (x(second) - x(first))));
  return ticks.filter((_, index) => (ticks.length - 1 - index) % every === 0);
}

/** Covers what is not known, so that nothing old is drawn on as if it still held. */
function NotHeard({ fromX, right, row, rows }: { fromX: number; right: number; row: number; rows: number }) {
  const start = Math.max(LABEL_WIDTH, fromX);
  const width = Math.max(0, right - start);
  return (
    <g data-testid="ribbon-unheard">
      <title>nothing was heard from here on</title>
      <rect fill="var(--panel)" height={(rows - row) * ROW} width={width} x={start} y={row * ROW} />
      <rect
        fill="none"
        height={(rows - row) * ROW - 2}
        stroke="var(--muted)"
        strokeDasharray="3 3"
        width={width}
        x={start}
        y={row * ROW + 1}
      />
      {width > TICK_WIDTH && (
        <text fill="var(--muted)" fontSize="10" fontWeight="600" x={start + 5} y={row * ROW + 12}>
          no data
        </text>
      )}
    </g>
  );
}

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
