import type { Metric } from '#lib/agent/agent.ts';
import { METRICS } from '#lib/protocol/metrics.ts';
import type { GpuHost } from './gpu-host.ts';
import type { RateMeter } from './rate-meter.ts';

/** The series of the inference process; those of the card are its samples of 1 Hz. */
export function inferenceMetrics(
  host: GpuHost,
  rates: { readonly yolo26: RateMeter; readonly nemotron: RateMeter },
): Metric[] {
  const gpu = () => host.status();
  const metric = (name: string, unit: string, help: string, read: () => number | null): Metric => ({
    name,
    unit,
    help,
    read,
  });
  return [
    metric(
      METRICS.gpuAllocatedMib,
      'MiB',
      'GPU memory in use by our processes',
      () => gpu().memory.allocatedMib,
    ),
    metric(METRICS.gpuCachedMib, 'MiB', 'GPU memory kept by our allocators', () => gpu().memory.cachedMib),
    metric(METRICS.gpuTenantsMib, 'MiB', 'GPU memory of other tenants', () => gpu().memory.tenantsMib),
    metric(METRICS.gpuTotalMib, 'MiB', 'GPU memory in total', () => gpu().memory.totalMib),
    metric(METRICS.gpuTemperatureC, '°C', 'GPU temperature', () => gpu().temperatureC),
    metric(METRICS.gpuSmClockMhz, 'MHz', 'GPU SM clock', () => gpu().smClockMhz),
    metric(METRICS.gpuPowerW, 'W', 'GPU power', () => gpu().powerW),
    metric(METRICS.gpuUtilisationRatio, 'ratio', 'GPU utilisation', () => gpu().utilisationRatio),
    metric('gpu.memory.freeMib', 'MiB', 'GPU memory that nobody holds', () => gpu().memory.freeMib),
    metric(
      METRICS.gpuLargestFreeMib,
      'MiB',
      'Largest free block of GPU memory',
      () => gpu().memory.largestFreeMib,
    ),
    metric('gpu.clockEventReasons', 'bits', "NVML's clock event reasons", () => gpu().clockEventReasons),
    metric(METRICS.gpuOutOfMemoryCount, 'items', 'GPU allocations that failed', () => gpu().outOfMemoryCount),
    metric(METRICS.gpuBatchSize, 'items', 'Images that the detector runs at once', () => gpu().maxBatchSize),
    metric(METRICS.imagesPerSecond, '1/s', 'Images detected a second', () => rates.yolo26.perSecond),
    metric(METRICS.completionsPerSecond, '1/s', 'Completions a second', () => rates.nemotron.perSecond),
  ];
}
