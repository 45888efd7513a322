import { DEPENDENCY_NAMES, type DependencyName } from './services.ts';

/** A series that an agent declares once and then samples in that order. */
export interface MetricDeclaration {
  /** Dotted name, for example `queue.detection.depth`. */
  name: string;
  /** ms, °C, MHz, MiB, W, ratio, 1/s, items … */
  unit: string;
  /** One line for the chart and for Prometheus' HELP. */
  help: string;
}

/** The series that the console's charts and the benchmarks rely on. Agents may declare more. */
export const METRICS = {
  detectionDepth: 'queue.detection.depth',
  detectionOldestAgeMs: 'queue.detection.oldestAgeMs',
  analysisDepth: 'queue.analysis.depth',
  analysisOldestAgeMs: 'queue.analysis.oldestAgeMs',
  /** Oldest accepted upload without a terminal home, ms. */
  oldestAgeMs: 'ledger.oldestAgeMs',
  memoryTier: 'fallback.memory.depth',
  diskTier: 'fallback.disk.depth',
  dlqCount: 'dlq.count',
  endToEndP50Ms: 'latency.endToEnd.p50Ms',
  endToEndP95Ms: 'latency.endToEnd.p95Ms',
  callsP50Ms: 'latency.calls.p50Ms',
  callsP95Ms: 'latency.calls.p95Ms',
  uploadsPerSecond: 'throughput.uploadsPerSecond',
  detectionsPerSecond: 'throughput.detectionsPerSecond',
  eventsPerSecond: 'throughput.eventsPerSecond',
  injectedPerSecond: 'errors.injectedPerSecond',
  organicPerSecond: 'errors.organicPerSecond',
  lost: 'ledger.lost',
  moving: 'ledger.moving',
  gpuAllocatedMib: 'gpu.memory.allocatedMib',
  gpuCachedMib: 'gpu.memory.cachedMib',
  gpuTenantsMib: 'gpu.memory.tenantsMib',
  gpuTotalMib: 'gpu.memory.totalMib',
  gpuTemperatureC: 'gpu.temperatureC',
  gpuSmClockMhz: 'gpu.smClockMhz',
  gpuPowerW: 'gpu.powerW',
  gpuUtilisationRatio: 'gpu.utilisationRatio',
  gpuLargestFreeMib: 'gpu.memory.largestFreeMib',
  gpuBatchSize: 'gpu.batchSize',
  gpuOutOfMemoryCount: 'gpu.outOfMemoryCount',
  imagesPerSecond: 'inference.yolo26.perSecond',
  completionsPerSecond: 'inference.nemotron.perSecond',
} as const;

/** What is told of each service that the pipeline calls, over the calls of the last 10 s. */
export const DEPENDENCY_FIGURES = [
  'callsPerSecond',
  'injected',
  'organic',
  'p50Ms',
  'p95Ms',
  'p99Ms',
] as const;
export type DependencyFigure = (typeof DEPENDENCY_FIGURES)[number];

export function dependencyMetric(name: DependencyName, figure: DependencyFigure): string {
  return `dependency.${name}.${figure}`;
}

/** Every series that a page of the console draws. */
export const CHARTED_METRICS: readonly string[] = [
  ...Object.values(METRICS),
  ...DEPENDENCY_NAMES.flatMap((name) => DEPENDENCY_FIGURES.map((figure) => dependencyMetric(name, figure))),
];

/** One history answer: `values[i]` belongs to `startAt + i * stepMs`; null is a gap, never zero. */
export interface Series {
  name: string;
  unit: string;
  startAt: number;
  stepMs: number;
  values: (number | null)[];
}
