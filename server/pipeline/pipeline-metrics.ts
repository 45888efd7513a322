import type { Metric } from '#lib/agent/agent.ts';
import {
  DEPENDENCY_FIGURES,
  type DependencyFigure,
  dependencyMetric,
  METRICS,
} from '#lib/protocol/metrics.ts';
import { DEPENDENCY_NAMES } from '#lib/protocol/services.ts';
import type { DependencyTracker } from './dependencies/dependency-tracker.ts';
import type { Work } from './work/create-work.ts';

/** What the pipeline's series are read from; undefined until it is there. */
export interface MetricSources {
  work: () => Work | undefined;
  tracker: () => DependencyTracker | undefined;
  uploadsPerSecond: () => number | null;
}

/** The series of the pipeline; a source that is not there yet reads as no value, never as zero. */
export function pipelineMetrics({ work, tracker, uploadsPerSecond }: MetricSources): Metric[] {
  const queues = sampled(() => work()?.queues());
  const gauges = sampled(() => work()?.gauges());
  const totals = sampled(() => tracker()?.totals());
  const dependencies = sampled(() => tracker()?.status());
  const queue = (index: 0 | 1) => queues()?.[index];
  const tiers = () => queues()?.map(({ tiers: { memory, disk } }) => ({ memory, disk }));
  const sum = (tier: 'memory' | 'disk') => tiers()?.reduce((total, each) => total + each[tier], 0) ?? null;
  const metric = (name: string, unit: string, help: string, read: () => number | null): Metric => ({
    name,
    unit,
    help,
    read,
  });
  return [
    metric(METRICS.detectionDepth, 'items', 'Detection jobs that wait', () => queue(0)?.depth ?? null),
    metric(METRICS.detectionOldestAgeMs, 'ms', 'Age of the oldest detection job', () =>
      ageOf(queue(0), work()),
    ),
    metric(METRICS.analysisDepth, 'items', 'Analysis jobs that wait', () => queue(1)?.depth ?? null),
    metric(METRICS.analysisOldestAgeMs, 'ms', 'Age of the oldest analysis job', () =>
      ageOf(queue(1), work()),
    ),
    metric(METRICS.oldestAgeMs, 'ms', 'Age of the oldest accepted upload without a terminal home', () => {
      const now = gauges();
      return now ? (now.oldestAgeMs ?? 0) : null;
    }),
    metric(METRICS.memoryTier, 'items', 'Jobs in the memory tier', () => sum('memory')),
    metric(METRICS.diskTier, 'items', 'Jobs in the disk tier', () => sum('disk')),
    metric(METRICS.dlqCount, 'items', 'Dead letters', () => work()?.dlq().count ?? null),
    metric(
      METRICS.endToEndP50Ms,
      'ms',
      'From acceptance to the stored event, median of 60 s',
      () => gauges()?.endToEndP50Ms ?? null,
    ),
    metric(
      METRICS.endToEndP95Ms,
      'ms',
      'From acceptance to the stored event, p95 of 60 s',
      () => gauges()?.endToEndP95Ms ?? null,
    ),
    metric(METRICS.callsP50Ms, 'ms', 'Calls to dependencies, median of 10 s', () => totals()?.p50Ms ?? null),
    metric(METRICS.callsP95Ms, 'ms', 'Calls to dependencies, p95 of 10 s', () => totals()?.p95Ms ?? null),
    metric(METRICS.uploadsPerSecond, '1/s', 'Uploads accepted', uploadsPerSecond),
    metric(
      METRICS.detectionsPerSecond,
      '1/s',
      'Uploads stored with their detections',
      () => gauges()?.detectionsPerSecond ?? null,
    ),
    metric(METRICS.eventsPerSecond, '1/s', 'Events stored', () => gauges()?.eventsPerSecond ?? null),
    metric(
      METRICS.injectedPerSecond,
      '1/s',
      'Failed calls that one of our faults made',
      () => totals()?.injectedPerSecond ?? null,
    ),
    metric(
      METRICS.organicPerSecond,
      '1/s',
      'Failed calls that no fault of ours made',
      () => totals()?.organicPerSecond ?? null,
    ),
    metric(METRICS.lost, 'items', 'Uploads without a home', () => work()?.ledger().lost ?? null),
    metric(METRICS.moving, 'items', 'Uploads between two homes', () => work()?.ledger().moving ?? null),
    ...DEPENDENCY_NAMES.flatMap((name) =>
      DEPENDENCY_FIGURES.map((figure) => {
        const { unit, help } = FIGURES[figure];
        return metric(dependencyMetric(name, figure), unit, `${help}: ${name}`, () => {
          return dependencies()?.find((each) => each.name === name)?.[figure] ?? null;
        });
      }),
    ),
  ];
}

/** All of the last 10 s. */
const FIGURES: Readonly<Record<DependencyFigure, { unit: string; help: string }>> = {
  callsPerSecond: { unit: '1/s', help: 'Calls' },
  injected: { unit: 'items', help: 'Failed calls of 10 s that one of our faults made' },
  organic: { unit: 'items', help: 'Failed calls of 10 s that no fault of ours made' },
  p50Ms: { unit: 'ms', help: 'Duration of calls, median of 10 s' },
  p95Ms: { unit: 'ms', help: 'Duration of calls, p95 of 10 s' },
  p99Ms: { unit: 'ms', help: 'Duration of calls, p99 of 10 s' },
};

/** An empty queue has age 0; no value only while nothing is known. */
function ageOf(queue: { oldestAgeMs: number | null } | undefined, work: Work | undefined): number | null {
  if (!work || !queue) return null;
  return queue.oldestAgeMs ?? 0;
}

/** Reads at most once in 100 ms: one frame asks for many figures of one reading. */
function sampled<T>(read: () => T): () => T {
  let last: { value: T; at: number } | undefined;
  return () => {
    const at = performance.now();
    if (last === undefined || at - last.at > 100) last = { value: read(), at };
    return last.value;
  };
}
