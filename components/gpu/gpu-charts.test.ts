import { expect, it } from 'vitest';
import { CHARTED_METRICS } from '#lib/protocol/metrics.ts';
import { axisEnds, limitLines } from '../charts/plot-frame.ts';
import { gpuCharts } from './gpu-charts.ts';

const scale = { targetC: 84, softwareC: 90, hardwareC: 95, shutdownC: 98, powerW: 230, maxSmClockMhz: 1800 };

it('takes its lines and ends from the card', () => {
  const charts = gpuCharts(scale);
  const chart = (id: string) => charts.find((each) => each.id === id);
  const temperature = chart('gpu-temperature');
  expect(temperature && limitLines(temperature, 100)).toEqual([84, 90, 95, 98]);
  expect(temperature && limitLines(temperature, 95), 'none above the axis').toEqual([84, 90]);
  const clock = chart('gpu-clock');
  expect(clock && axisEnds(clock, [], clock.ceiling ?? null).leftMax).toBe(1800);
  expect(chart('gpu-power')?.ceiling).toBe(230);
});

it('guesses no limit while the card is unknown', () => {
  for (const { limits = [], ceiling } of gpuCharts(null)) {
    expect(limits).toEqual([]);
    expect(ceiling).toBeUndefined();
  }
});

it('is marked as simulated throughout, of series that are kept, and leads nowhere it already is', () => {
  for (const { simulated, href, series } of gpuCharts(scale)) {
    expect(simulated).toBe(true);
    expect(href).toBeUndefined();
    for (const { metric } of series) expect(CHARTED_METRICS).toContain(metric);
  }
});
