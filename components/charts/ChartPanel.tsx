'use client';

import dynamic from 'next/dynamic';
import Link from 'next/link';
import { type PointerEvent, useEffect, useRef, useState } from 'react';
import type { Fault } from '#lib/protocol/faults.ts';
import { fetchPart } from '../fetch-part.ts';
import { pictureSource } from '../history/picture-source.ts';
import { faultBands } from '../ribbon/ribbon-series.ts';
import { faultsReaching } from '../services/service-view.ts';
import { serverNow } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { useLive } from '../use-live.ts';
import { compact, timeOfDay } from '../visual/quantity.ts';
import { SimulatedBadge } from '../visual/SimulatedBadge.tsx';
import { useClock } from '../visual/use-clock.ts';
import type { ChartDefinition, DrawnSeries } from './chart-definitions.ts';
import { joinChartLoop } from './chart-loop.ts';
import { commitPeriodMs, newest, thin } from './chart-series.ts';
import { FaultBands } from './FaultBands.tsx';
import { AXIS_WIDTH, axisEnds, PLOT_MARGIN, type PlotFrame } from './plot-frame.ts';
import { SvgPlot } from './SvgPlot.tsx';
import { TimeMarkers } from './TimeMarkers.tsx';
import { usePlotSize } from './use-plot-size.ts';

const RechartsPlot = dynamic(
  () => fetchPart(() => import('./RechartsPlot.tsx')).then((module) => module.RechartsPlot),
  {
    ssr: false,
  },
);

/** One chart with its numbers; it keeps its own drawing and is given its turn by the loop. */
export function ChartPanel({ definition, rich }: { definition: ChartDefinition; rich: boolean }) {
  const [body, size] = usePlotSize<HTMLDivElement>();
  const [frame, setFrame] = useState<PlotFrame | null>(null);
  const visible = useRef(false);
  visible.current = size !== null;
  const live = useLive();

  useEffect(
    () =>
      joinChartLoop({
        visible: () => visible.current && document.visibilityState === 'visible',
        periodMs: () => commitPeriodMs(useView.getState().windowMs),
        commit: () => setFrame(nextFrame(definition)),
      }),
    [definition],
  );

  const Plot = rich ? RechartsPlot : SvgPlot;
  const stale = live === 'stale' || live === 'no-data';
  return (
    <figure
      aria-label={definition.title}
      className={`panel contain-content flex min-h-30 min-w-0 flex-col px-2 pt-1.5 pb-1 ${stale ? 'stale' : ''}`}
      data-in={definition.tabs.join(' ')}
      data-testid={`chart-${definition.id}`}
    >
      <ChartHead definition={definition} />
      <div
        className="relative min-h-0 flex-1 overflow-hidden"
        onPointerLeave={() => useView.setState({ cursorAt: null })}
        onPointerMove={(event) => frame && moveCursor(event, frame)}
        ref={body}
      >
        {frame && size && <FaultBands frame={frame} height={size.height} width={size.width} />}
        {frame && size && <Plot frame={frame} height={size.height} width={size.width} />}
        {frame && size && (
          <TimeMarkers
            fromAt={frame.fromAt}
            left={AXIS_WIDTH}
            right={PLOT_MARGIN.right}
            toAt={frame.toAt}
            width={size.width}
          />
        )}
      </div>
    </figure>
  );
}

function nextFrame(definition: ChartDefinition): PlotFrame {
  const { windowMs, frozenAt } = useView.getState();
  const toAt = frozenAt ?? serverNow();
  const fromAt = toAt - windowMs;
  const { ring, facts, faults } = pictureSource(fromAt, toAt);
  const points = thin(ring, definition.series, toAt, windowMs);
  const { service, ceilingMetric } = definition;
  const newestCeiling = ceilingMetric ? newest(ring, ceilingMetric, toAt, windowMs) : null;
  const measured = newestCeiling === null ? null : newestCeiling * (definition.series[0]?.factor ?? 1);
  const acts = service && ((fault: Fault) => faultsReaching(service, [fault]).length > 0);
  return {
    definition,
    points,
    fromAt,
    toAt,
    ...axisEnds(definition, points, definition.ceiling ?? measured),
    faults: faultBands(facts, faults, fromAt, toAt, acts),
  };
}

function moveCursor(event: PointerEvent<HTMLDivElement>, frame: PlotFrame): void {
  const box = event.currentTarget.getBoundingClientRect();
  const plotWidth = box.width - AXIS_WIDTH - PLOT_MARGIN.right;
  const share = (event.clientX - box.left - AXIS_WIDTH) / plotWidth;
  if (share < 0 || share > 1) useView.setState({ cursorAt: null });
  else useView.setState({ cursorAt: frame.fromAt + share * (frame.toAt - frame.fromAt) });
}

const TITLE_LINK =
  '-my-1 inline-flex min-h-6 max-w-full items-center truncate font-semibold text-ink underline decoration-line-strong underline-offset-2 hover:decoration-ink';

/** Title and numbers: of the cursor's moment, otherwise of now. */
function ChartHead({ definition }: { definition: ChartDefinition }) {
  useClock(500);
  const cursorAt = useView((view) => view.cursorAt);
  const frozenAt = useView((view) => view.frozenAt);
  const at = cursorAt ?? frozenAt ?? serverNow();
  return (
    <figcaption className="min-w-0 text-[11px] whitespace-nowrap">
      {definition.href ? (
        <Link
          className={TITLE_LINK}
          data-testid={`chart-link-${definition.id}`}
          href={definition.href}
          prefetch={false}
        >
          {definition.title}
        </Link>
      ) : definition.opens ? (
        <button
          aria-haspopup="dialog"
          className={TITLE_LINK}
          data-testid={`open-${definition.opens}`}
          onClick={() => useView.setState({ overlay: definition.opens ?? null })}
          type="button"
        >
          {definition.title}
        </button>
      ) : (
        <span className="truncate font-semibold text-ink">{definition.title}</span>
      )}
      {definition.simulated && <SimulatedBadge className="ml-1.5" />}
      <span className="flex min-w-0 flex-wrap content-start gap-x-2 overflow-hidden wide:min-h-[2lh]">
        {definition.series.map((series) => (
          <Reading at={at} key={series.key} series={series} />
        ))}
        {cursorAt !== null && <span className="sr-only">at {timeOfDay(cursorAt)}</span>}
      </span>
    </figcaption>
  );
}

function Reading({ series, at }: { series: DrawnSeries; at: number }) {
  const raw = newest(pictureSource(at, at).ring, series.metric, at);
  const value = raw === null ? null : raw * (series.factor ?? 1);
  const critical = value !== null && series.criticalAt !== undefined && value >= series.criticalAt;
  const warn = value !== null && series.warnAt !== undefined && value >= series.warnAt;
  return (
    <span className={critical ? 'text-open-ink' : warn ? 'text-degraded-ink' : 'text-muted'}>
      <svg aria-hidden="true" className="mr-1 inline-block" height="8" viewBox="0 0 10 8" width="10">
        {series.draw === 'area' ? (
          <rect fill={series.color} height="8" rx="1" width="8" x="1" />
        ) : (
          <path
            d="M0 4h10"
            stroke={series.color}
            strokeDasharray={series.axis === 'right' ? '3 2' : '0'}
            strokeWidth="2"
          />
        )}
      </svg>
      {series.label}{' '}
      <b className={`font-semibold ${critical || warn ? '' : 'text-ink'}`}>
        {value === null ? '–' : compact(value)}
      </b>
      {value !== null && series.unit && ` ${series.unit}`}
      {(critical || warn) && <span className="sr-only">{critical ? ' critical' : ' high'}</span>}
    </span>
  );
}
