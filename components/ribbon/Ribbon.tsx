'use client';

import Link from 'next/link';
import { useEffect, useState } from 'react';
import { ProcessStrip } from '../banner/ProcessStrip.tsx';
import { joinChartLoop, redrawCharts } from '../charts/chart-loop.ts';
import { PLOT_MARGIN } from '../charts/plot-frame.ts';
import { TimeMarkers } from '../charts/TimeMarkers.tsx';
import { usePlotSize } from '../charts/use-plot-size.ts';
import { ensureHistory } from '../history/history-store.ts';
import { pictureSource } from '../history/picture-source.ts';
import { serverNow } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { LABEL_WIDTH } from './BandRect.tsx';
import { LEAST_HEIGHT, RibbonBands, type RibbonPicture } from './RibbonBands.tsx';
import { breakerBands, faultBands, modeBands } from './ribbon-series.ts';
import { TimeControls } from './TimeControls.tsx';
import { unheardFrom } from './unheard.ts';
import { useScrub } from './use-scrub.ts';

const ENSURE_MS = 1_000;
/** Kept on narrow screens for the processes, which come later: what is below stays where it is. */
const ROOM = 'max-wide:min-h-[135px] max-sm:min-h-[178px]';
/** Below this there is no room for more than the console's size, px. */
const NARROW = 640;

interface RibbonProps {
  /** How much larger than on the console. @default 1 */
  scale?: number;
  /** Rows for breakers. @default 5 */
  breakersMax?: number;
  /** `compact` is the console's, `full` has the way through the past as well, `none` is to be looked at only. */
  controls?: 'compact' | 'full' | 'none';
}

/** Cause and effect on one time axis: what we broke, the mode, every breaker that moved, halts and notes. */
export function Ribbon({ scale = 1, breakersMax = 5, controls = 'compact' }: RibbonProps) {
  const [body, size] = usePlotSize<HTMLDivElement>();
  const [picture, setPicture] = useState<RibbonPicture | null>(null);
  useEffect(
    () =>
      joinChartLoop({
        visible: () => document.visibilityState === 'visible',
        periodMs: () => 500,
        commit: () => setPicture(nextPicture()),
      }),
    [],
  );
  useEffect(() => {
    const timer = setInterval(ensureHistory, ENSURE_MS);
    const stop = useView.subscribe((view, before) => {
      if (view.windowMs === before.windowMs && view.frozenAt === before.frozenAt) return;
      ensureHistory();
      redrawCharts();
    });
    return () => {
      clearInterval(timer);
      stop();
    };
  }, []);
  const drawn = size && size.width < NARROW ? 1 : scale;
  const left = LABEL_WIDTH * drawn;
  const right = PLOT_MARGIN.right * drawn;
  const scrub = useScrub(picture, { left, right, enabled: controls !== 'none' });
  return (
    <section
      aria-label="Timeline ribbon"
      className={`panel flex flex-col gap-1 px-3 pt-1.5 pb-1.5 ${controls === 'compact' ? ROOM : ''}`}
      data-in="live faults"
      data-testid="ribbon"
    >
      {controls !== 'none' && (
        <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
          {controls === 'compact' && (
            <h2 className="panel-title">
              <Link
                className="underline decoration-line-strong underline-offset-2 hover:text-ink"
                href="/timeline"
                prefetch={false}
              >
                Timeline
              </Link>
            </h2>
          )}
          <ProcessStrip />
          <TimeControls full={controls === 'full'} />
        </div>
      )}
      <div
        className={`relative ${controls === 'none' ? '' : 'cursor-crosshair touch-pan-y'}`}
        ref={body}
        style={{ minHeight: LEAST_HEIGHT * drawn }}
        {...scrub}
      >
        {picture && size && (
          <RibbonBands breakersMax={breakersMax} picture={picture} scale={drawn} width={size.width} />
        )}
        {picture && size && (
          <TimeMarkers
            fromAt={picture.fromAt}
            left={left}
            right={right}
            toAt={picture.toAt}
            width={size.width}
          />
        )}
      </div>
    </section>
  );
}

function nextPicture(): RibbonPicture {
  const { windowMs, frozenAt } = useView.getState();
  const toAt = frozenAt ?? serverNow();
  const fromAt = toAt - windowMs;
  const { facts, faults, mode, breakers } = pictureSource(fromAt, toAt);
  return {
    fromAt,
    toAt,
    facts,
    faults: faultBands(facts, faults, fromAt, toAt),
    modes: modeBands(facts, mode, fromAt, toAt),
    breakers: breakerBands(facts, breakers, fromAt, toAt),
    unheard: unheardFrom(toAt),
  };
}
