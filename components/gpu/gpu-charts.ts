import { METRICS } from '#lib/protocol/metrics.ts';
import type { GpuStatus } from '#lib/protocol/state.ts';
import { CHARTS, type ChartDefinition, type DrawnSeries, NEUTRAL } from '../charts/chart-definitions.ts';

/** What the axes need to know of the card. */
export type CardScale = GpuStatus['limits'] & Pick<GpuStatus, 'maxSmClockMhz'>;

const line = (key: string, metric: string, rest: Partial<DrawnSeries> = {}): DrawnSeries => ({
  key,
  metric,
  label: key,
  unit: '',
  reduce: 'last',
  color: NEUTRAL[0],
  draw: 'line',
  ...rest,
});

/** The charts of the card; null while its limits are not known, then the axes find their own ends. */
export function gpuCharts(scale: CardScale | null): ChartDefinition[] {
  const memory = CHARTS.filter(({ id }) => id === 'vram').map(({ href: _here, ...chart }) => chart);
  const charts: ChartDefinition[] = [
    ...memory,
    {
      id: 'gpu-temperature',
      title: 'Temperature',
      tabs: ['gpu'],
      floor: 100,
      limits: scale ? [scale.targetC, scale.softwareC, scale.hardwareC, scale.shutdownC] : [],
      series: [
        line('core', METRICS.gpuTemperatureC, {
          unit: '°C',
          reduce: 'max',
          ...(scale && { warnAt: scale.targetC, criticalAt: scale.softwareC }),
        }),
      ],
    },
    {
      id: 'gpu-clock',
      title: 'SM clock',
      tabs: ['gpu'],
      floor: 1,
      ...(scale && { ceiling: scale.maxSmClockMhz }),
      series: [line('clock', METRICS.gpuSmClockMhz, { unit: 'MHz' })],
    },
    {
      id: 'gpu-power',
      title: 'Power, utilisation',
      tabs: ['gpu'],
      floor: 1,
      ...(scale && { ceiling: scale.powerW }),
      series: [
        line('power', METRICS.gpuPowerW, { unit: 'W', reduce: 'mean' }),
        line('busy', METRICS.gpuUtilisationRatio, {
          unit: '%',
          factor: 100,
          reduce: 'mean',
          color: NEUTRAL[1],
          axis: 'right',
        }),
      ],
    },
    {
      id: 'gpu-inferences',
      title: 'Inferences',
      tabs: ['gpu'],
      floor: 2,
      series: [
        line('images', METRICS.imagesPerSecond, { unit: '/s', reduce: 'mean' }),
        line('completions', METRICS.completionsPerSecond, { unit: '/s', reduce: 'mean', color: NEUTRAL[1] }),
      ],
    },
    {
      id: 'gpu-batch',
      title: 'Batch, out of memory',
      tabs: ['gpu'],
      floor: 8,
      series: [
        line('images at once', METRICS.gpuBatchSize, { draw: 'step' }),
        line('times out of memory', METRICS.gpuOutOfMemoryCount, {
          draw: 'step',
          color: NEUTRAL[1],
          axis: 'right',
          warnAt: 1,
        }),
      ],
    },
  ];
  return charts.map((chart) => ({ ...chart, simulated: true, service: 'gpu' }));
}
