import type { ServiceName } from '#lib/protocol/faults.ts';
import { dependencyMetric, METRICS } from '#lib/protocol/metrics.ts';
import { DEPENDENCY_NAMES, type DependencyName } from '#lib/protocol/services.ts';
import type { QueueStatus } from '#lib/protocol/state.ts';
import { CHARTS, type ChartDefinition, type DrawnSeries, NEUTRAL } from '../charts/chart-definitions.ts';
import { partsOf } from '../services/service-parts.ts';

const kept = new Map<ServiceName, readonly ChartDefinition[]>();

/** The charts of one service; the same ones each time they are asked for. */
export function serviceCharts(service: ServiceName): readonly ChartDefinition[] {
  const known = kept.get(service);
  if (known) return known;
  const charts = makeCharts(service).map((chart) => ({ ...chart, service }));
  kept.set(service, charts);
  return charts;
}

function makeCharts(service: ServiceName): ChartDefinition[] {
  const dependency = DEPENDENCY_NAMES.find((name) => name === service);
  const queues = partsOf(service).queues.map(queueChart);
  if (dependency)
    return [callsChart(dependency), failuresChart(dependency), latencyChart(dependency), ...queues];
  switch (service) {
    case 'gpu':
      return consoleCharts(['vram', 'thermals']);
    case 'inference':
      return [INFERENCES, ...consoleCharts(['vram', 'thermals'])];
    case 'pipeline':
      return [...consoleCharts(['throughput', 'latency', 'errors', 'fallback']), ...queues];
    default:
      return consoleCharts(['latency', 'errors', 'throughput']);
  }
}

function consoleCharts(ids: readonly string[]): ChartDefinition[] {
  return CHARTS.filter(({ id }) => ids.includes(id));
}

const line = (key: string, metric: string, rest: Partial<DrawnSeries> = {}): DrawnSeries => ({
  key,
  metric,
  label: key,
  unit: '',
  reduce: 'max',
  color: NEUTRAL[0],
  draw: 'line',
  ...rest,
});

function callsChart(name: DependencyName): ChartDefinition {
  return {
    id: 'service-calls',
    title: 'Calls',
    tabs: ['live'],
    floor: 1,
    series: [line('calls', dependencyMetric(name, 'callsPerSecond'), { unit: '/s', reduce: 'mean' })],
  };
}

function failuresChart(name: DependencyName): ChartDefinition {
  return {
    id: 'service-failures',
    title: 'Failed calls of the last 10 s',
    tabs: ['live'],
    floor: 5,
    series: [
      line('injected', dependencyMetric(name, 'injected'), { color: 'var(--injected)' }),
      line('organic', dependencyMetric(name, 'organic'), { color: 'var(--open)', warnAt: 1 }),
    ],
  };
}

function latencyChart(name: DependencyName): ChartDefinition {
  return {
    id: 'service-latency',
    title: 'Latency',
    tabs: ['live'],
    floor: 100,
    series: [
      line('p50', dependencyMetric(name, 'p50Ms'), { unit: 'ms', color: NEUTRAL[2] }),
      line('p95', dependencyMetric(name, 'p95Ms'), { unit: 'ms', color: NEUTRAL[1] }),
      line('p99', dependencyMetric(name, 'p99Ms'), { unit: 'ms' }),
    ],
  };
}

function queueChart(queue: QueueStatus['name']): ChartDefinition {
  const [age, depth] =
    queue === 'detection'
      ? [METRICS.detectionOldestAgeMs, METRICS.detectionDepth]
      : [METRICS.analysisOldestAgeMs, METRICS.analysisDepth];
  return {
    id: `queue-${queue}`,
    title: `Queue ${queue}`,
    tabs: ['queues'],
    floor: 5,
    series: [
      line('oldest', age, { unit: 's', factor: 0.001, warnAt: 10, criticalAt: 30 }),
      line('depth', depth, { color: NEUTRAL[1], axis: 'right' }),
    ],
  };
}

const INFERENCES: ChartDefinition = {
  id: 'inferences',
  title: 'Inferences',
  tabs: ['gpu'],
  simulated: true,
  floor: 2,
  series: [
    line('images', METRICS.imagesPerSecond, { unit: '/s', reduce: 'mean' }),
    line('completions', METRICS.completionsPerSecond, { unit: '/s', reduce: 'mean', color: NEUTRAL[1] }),
  ],
};
