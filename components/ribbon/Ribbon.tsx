'use client';

import { type PointerEvent, useEffect, useState } from 'react';
import type { Fact } from '#lib/protocol/facts.ts';
import type { BreakerState, Mode } from '#lib/protocol/state.ts';
import { ProcessStrip } from '../banner/ProcessStrip.tsx';
import { Cursor } from '../charts/ChartPanel.tsx';
import { joinChartLoop } from '../charts/chart-loop.ts';
import { AXIS_WIDTH, PLOT_MARGIN } from '../charts/plot-frame.ts';
import { usePlotSize } from '../charts/use-plot-size.ts';
import { useFacts } from '../stores/facts-store.ts';
import { useFaults } from '../stores/faults-store.ts';
import { serverNow, useSystem } from '../stores/state-store.ts';
import { useView, WINDOWS_MS } from '../stores/view-store.ts';
import { timeOfDay } from '../visual/quantity.ts';
import { BREAKER_STATUS, BREAKER_WORD, MODE_STATUS, type Status } from '../visual/StatusMark.tsx';
import { type Band, breakerBands, clusterMarks, faultBands, type Mark, modeBands } from './ribbon-series.ts';

const ROW = 15;
const LABEL_WIDTH = 84;
const BREAKER_ROWS_MAX = 5;

interface RibbonPicture {
  fromAt: number;
  toAt: number;
  faults: ReturnType<typeof faultBands>;
  modes: Band<Mode>[];
  breakers: { name: string; bands: Band<BreakerState>[] }[];
  facts: readonly Fact[];
}

/** Cause and effect on one time axis: what we broke, the mode, every breaker that moved, halts and notes. */
export function Ribbon() {
  const [body, size] = usePlotSize<HTMLDivElement>();
  const [picture, setPicture] = useState<RibbonPicture | null>(null);
  const windowMs = useView((view) => view.windowMs);
  const frozenAt = useView((view) => view.frozenAt);
  useEffect(
    () =>
      joinChartLoop({
        visible: () => document.visibilityState === 'visible',
        periodMs: () => 500,
        commit: () => setPicture(nextPicture()),
      }),
    [],
  );
  return (
    <section
      aria-label="Timeline ribbon"
      className="panel flex flex-col gap-1 px-3 pt-1.5 pb-1.5"
      data-in="live faults"
      data-testid="ribbon"
    >
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
        <h2 className="panel-title">Timeline</h2>
        <ProcessStrip />
        <fieldset aria-label="Length of the time axis" className="ml-auto flex items-center gap-1">
          {frozenAt !== null && (
            <button
              className="small-button border-half! bg-half! text-on-fill!"
              onClick={() => useView.setState({ frozenAt: null })}
              type="button"
            >
              Frozen at {timeOfDay(frozenAt)} · to live
            </button>
          )}
          {WINDOWS_MS.map((each) => (
            <button
              aria-pressed={windowMs === each}
              className={`min-h-6 rounded px-2 text-[11px] font-medium ${windowMs === each ? 'bg-raised text-ink ring-1 ring-line-strong' : 'text-muted hover:text-ink'}`}
              key={each}
              onClick={() => useView.setState({ windowMs: each })}
              type="button"
            >
              {each / 60_000} min
            </button>
          ))}
        </fieldset>
      </div>
      <div
        className="relative min-h-12"
        onPointerLeave={() => useView.setState({ cursorAt: null })}
        onPointerMove={(event) => picture && moveCursor(event, picture)}
        ref={body}
      >
        {picture && size && <RibbonBands picture={picture} width={size.width} />}
        {picture && size && (
          <div
            className="pointer-events-none absolute inset-y-0 right-0"
            style={{ left: LABEL_WIDTH - AXIS_WIDTH }}
          >
            <Cursor
              fromAt={picture.fromAt}
              toAt={picture.toAt}
              width={size.width - LABEL_WIDTH + AXIS_WIDTH}
            />
          </div>
        )}
      </div>
    </section>
  );
}

function nextPicture(): RibbonPicture {
  const { windowMs, frozenAt } = useView.getState();
  const toAt = frozenAt ?? serverNow();
  const fromAt = toAt - windowMs;
  const { facts } = useFacts.getState();
  const { state } = useSystem.getState();
  const states = new Map(state?.pipeline?.breakers.map((breaker) => [breaker.name, breaker.state]));
  return {
    fromAt,
    toAt,
    facts,
    faults: faultBands(facts, useFaults.getState().faults ?? [], fromAt, toAt),
    modes: modeBands(facts, state?.mode ?? null, fromAt, toAt),
    breakers: breakerBands(facts, states, fromAt, toAt),
  };
}

function moveCursor(event: PointerEvent<HTMLDivElement>, picture: RibbonPicture): void {
  const box = event.currentTarget.getBoundingClientRect();
  const share = (event.clientX - box.left - LABEL_WIDTH) / (box.width - LABEL_WIDTH - PLOT_MARGIN.right);
  const inside = share >= 0 && share <= 1;
  useView.setState({ cursorAt: inside ? picture.fromAt + share * (picture.toAt - picture.fromAt) : null });
}

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

function RibbonBands({ picture, width }: { picture: RibbonPicture; width: number }) {
  const { fromAt, toAt, faults, modes } = picture;
  const right = width - PLOT_MARGIN.right;
  const x = (at: number) => LABEL_WIDTH + ((at - fromAt) / (toAt - fromAt)) * (right - LABEL_WIDTH);
  const faultRows = Math.max(1, ...faults.map((band) => band.row + 1));
  const breakers = picture.breakers.slice(0, BREAKER_ROWS_MAX);
  const rows = faultRows + 1 + Math.max(1, breakers.length);
  const axisY = rows * ROW + 4;
  const marks = clusterMarks(marksOf(picture.facts, fromAt, toAt, x));
  const ticks = axisTicks(fromAt, toAt);
  const summary = `${faults.length} faults, ${modes.length} modes, ${breakers.length} breakers that moved in this window`;
  return (
    <svg aria-label={summary} height={axisY + 14} role="img" width={width}>
      {ticks.map((at) => (
        <g key={at}>
          <path d={`M${x(at)} 0V${axisY}`} stroke="var(--line)" strokeDasharray="2 3" />
          <text fill="var(--faint)" fontSize="10" textAnchor="middle" x={x(at)} y={axisY + 11}>
            {timeOfDay(at)}
          </text>
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
          <Empty row={faultRows + 1} text="all closed in this window" />
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

function BandRect({
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

function marksOf(facts: readonly Fact[], fromAt: number, toAt: number, x: (at: number) => number): Mark[] {
  return facts.flatMap((fact): Mark[] => {
    if (fact.at < fromAt || fact.at > toAt) return [];
    switch (fact.type) {
      case 'halted':
        return [{ x: x(fact.at), kind: 'halt', texts: [`${timeOfDay(fact.at)} halted by ${fact.data.by}`] }];
      case 'note':
        return [
          {
            x: x(fact.at),
            kind: 'note',
            texts: [`${timeOfDay(fact.at)} ${fact.data.by}: ${fact.data.text}`],
          },
        ];
      case 'alert':
        return [{ x: x(fact.at), kind: 'alert', texts: [`${timeOfDay(fact.at)} ${fact.data.text}`] }];
      default:
        return [];
    }
  });
}

/** Four or five round moments in the window, clear of its ends. */
function axisTicks(fromAt: number, toAt: number): number[] {
  const step = [15_000, 60_000, 180_000, 900_000].find((each) => (toAt - fromAt) / each <= 5) ?? 900_000;
  const ticks: number[] = [];
  const margin = (toAt - fromAt) * 0.04;
  for (let at = Math.ceil((fromAt + margin) / step) * step; at < toAt - margin; at += step) ticks.push(at);
  return ticks;
}
