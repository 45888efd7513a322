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
} as const;

/** One history answer: `values[i]` belongs to `startAt + i * stepMs`; null is a gap, never zero. */
export interface Series {
  name: string;
  unit: string;
  startAt: number;
  stepMs: number;
  values: (number | null)[];
}
