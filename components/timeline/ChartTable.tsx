'use client';

import { useEffect, useState } from 'react';
import { CHARTS } from '../charts/chart-definitions.ts';
import { joinChartLoop } from '../charts/chart-loop.ts';
import { newest } from '../charts/chart-series.ts';
import { pictureSource } from '../history/picture-source.ts';
import { serverNow } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { KEYBOARD_SCROLL } from '../visual/keyboard-scroll.ts';
import { compact, timeOfDay } from '../visual/quantity.ts';

const ROWS = 31;
const COLUMNS = CHARTS.flatMap((chart) => chart.series.map((series) => ({ chart: chart.title, ...series })));

interface Row {
  at: number;
  values: (number | null)[];
}

/** The charts of the window in numbers, for who cannot see them; a dash is a gap. */
export function ChartTable() {
  const [rows, setRows] = useState<readonly Row[]>([]);
  useEffect(
    () =>
      joinChartLoop({
        visible: () => document.visibilityState === 'visible',
        periodMs: () => 2_000,
        commit: () => setRows(nextRows()),
      }),
    [],
  );
  return (
    <section
      aria-label="Charts as a table"
      className="panel min-h-0 flex-1 overflow-auto"
      data-testid="chart-table"
      {...KEYBOARD_SCROLL}
    >
      <table className="w-full border-collapse text-right text-[12px]">
        <thead className="sticky top-0 bg-panel">
          <tr>
            <th className="px-2 py-1 text-left" scope="col">
              Time
            </th>
            {COLUMNS.map(({ chart, key, label, unit }) => (
              <th className="px-2 py-1 font-semibold whitespace-nowrap" key={`${chart} ${key}`} scope="col">
                <span className="block text-[11px] font-normal text-muted">{chart}</span>
                {label} {unit}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ at, values }) => (
            <tr className="border-t border-line" key={at}>
              <th className="px-2 py-0.5 text-left font-normal whitespace-nowrap text-muted" scope="row">
                {timeOfDay(at)}
              </th>
              {COLUMNS.map(({ chart, key }, index) => (
                <td className="px-2 py-0.5" key={`${chart} ${key}`}>
                  {values[index] == null ? <span title="no data">–</span> : compact(values[index])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Newest first, on whole steps of the window, so that rows keep their moment while it runs. */
function nextRows(): Row[] {
  const { windowMs, frozenAt } = useView.getState();
  const toAt = frozenAt ?? serverNow();
  const stepMs = windowMs / (ROWS - 1);
  const { ring } = pictureSource(toAt - windowMs, toAt);
  const last = Math.floor(toAt / stepMs) * stepMs;
  return Array.from({ length: ROWS }, (_, index) => {
    const at = last - index * stepMs;
    const values = COLUMNS.map(({ metric, factor = 1 }) => {
      const raw = newest(ring, metric, at);
      return raw === null ? null : raw * factor;
    });
    return { at, values };
  });
}
