import { expect, it } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import { CHARTED_METRICS, dependencyMetric } from '#lib/protocol/metrics.ts';
import { DependencyTracker } from './dependencies/dependency-tracker.ts';
import { pipelineMetrics } from './pipeline-metrics.ts';

function makeMetrics(tracker?: DependencyTracker) {
  const metrics = pipelineMetrics({
    work: () => undefined,
    tracker: () => tracker,
    uploadsPerSecond: () => null,
  });
  const read = (name: string) => metrics.find((metric) => metric.name === name)?.read();
  return { metrics, read };
}

it('tells the calls to each service apart, failed ones by whose they were', () => {
  const clock = new ManualClock();
  const faults = [{ id: 'f', service: 'redis' as const, type: 'timeout', params: {} }];
  const tracker = new DependencyTracker({ clock, activeFaults: () => faults, recentMs: 16_000 });
  for (let call = 0; call < 20; call++) tracker.record('redis', 10);
  tracker.record('redis', 500, new Error('Command timed out'));
  tracker.record('redis', 1, Object.assign(new Error('no'), { code: 'ECONNREFUSED' }));
  const { read } = makeMetrics(tracker);
  expect(read(dependencyMetric('redis', 'callsPerSecond'))).toBe(2.2);
  expect(read(dependencyMetric('redis', 'injected'))).toBe(1);
  expect(read(dependencyMetric('redis', 'organic'))).toBe(1);
  expect(read(dependencyMetric('redis', 'p50Ms'))).toBe(10);
  expect(read(dependencyMetric('redis', 'p99Ms'))).toBe(500);
  expect(read(dependencyMetric('yolo26', 'p99Ms')), 'no calls, no latency').toBeNull();
});

it('has no value before there is anything to read, and names only series that are drawn for services', () => {
  const { metrics, read } = makeMetrics();
  expect(read(dependencyMetric('redis', 'callsPerSecond'))).toBeNull();
  for (const { name } of metrics) {
    if (name.startsWith('dependency.')) expect(CHARTED_METRICS).toContain(name);
  }
});
