import { expect, it } from 'vitest';
import { CHARTED_METRICS } from '#lib/protocol/metrics.ts';
import { SERVICE_NAMES } from '#lib/protocol/services.ts';
import { serviceCharts } from './service-charts.ts';

it('has for each service charts of its own, of series that are kept, and no more than frames allow', () => {
  for (const service of SERVICE_NAMES) {
    const charts = serviceCharts(service);
    expect(charts.length, service).toBeGreaterThanOrEqual(2);
    expect(charts.length, service).toBeLessThanOrEqual(8);
    expect(new Set(charts.map(({ id }) => id)).size, service).toBe(charts.length);
    for (const { service: shown, series } of charts) {
      expect(shown).toBe(service);
      for (const { metric } of series) expect(CHARTED_METRICS).toContain(metric);
    }
    expect(serviceCharts(service), 'the same objects, so that nothing is drawn anew').toBe(charts);
  }
});

it('shows the queues that a service works off, and its own calls', () => {
  const ids = (service: 'yolo26' | 'redis' | 'ftp') => serviceCharts(service).map(({ id }) => id);
  expect(ids('yolo26')).toEqual(['service-calls', 'service-failures', 'service-latency', 'queue-detection']);
  expect(ids('redis')).toContain('queue-analysis');
  expect(ids('ftp').filter((id) => id.startsWith('queue'))).toEqual([]);
});
