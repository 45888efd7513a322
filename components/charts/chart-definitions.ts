import type { ServiceName } from '#lib/protocol/faults.ts';
import { METRICS } from '#lib/protocol/metrics.ts';
import type { Tab } from '../stores/view-store.ts';
import type { ChartSeries } from './chart-series.ts';

export interface DrawnSeries extends ChartSeries {
  label: string;
  unit: string;
  /** CSS colour; neutral unless the series itself is something abnormal. */
  color: string;
  draw: 'line' | 'area' | 'step';
  /** The second axis has its own scale and no ticks: its number stands in the head. @default 'left' */
  axis?: 'left' | 'right';
  /** Above these the number is marked. In the drawn unit. */
  warnAt?: number;
  criticalAt?: number;
}

export interface ChartDefinition {
  id: string;
  title: string;
  tabs: readonly Tab[];
  stacked?: boolean;
  /** What a press on its title opens. */
  opens?: 'dlq';
  /** The page that a press on its title leads to. */
  href?: string;
  /** Its values are those of a simulated device. */
  simulated?: boolean;
  /** Only faults that reach this service are shown behind it. @default all */
  service?: ServiceName;
  /** Smallest upper end of the left axis. */
  floor: number;
  /** Upper end of the left axis, when it is known for certain. In the drawn unit. */
  ceiling?: number;
  /** Lines across the left axis: where something happens. In the drawn unit. */
  limits?: readonly number[];
  /** Metric whose newest value is the upper end of the left axis. */
  ceilingMetric?: string;
  series: readonly DrawnSeries[];
}

export const NEUTRAL = ['var(--series-1)', 'var(--series-2)', 'var(--series-3)'] as const;

/** The eight charts. More would cost frames, and nobody reads more. */
export const CHARTS: readonly ChartDefinition[] = [
  {
    id: 'age',
    title: 'Oldest waiting',
    tabs: ['live', 'queues'],
    floor: 5,
    series: [
      {
        key: 'age',
        metric: METRICS.oldestAgeMs,
        label: 'age',
        unit: 's',
        factor: 0.001,
        reduce: 'max',
        color: NEUTRAL[0],
        draw: 'line',
        warnAt: 10,
        criticalAt: 30,
      },
      {
        key: 'depth',
        metric: METRICS.detectionDepth,
        label: 'detect',
        unit: '',
        reduce: 'max',
        color: NEUTRAL[1],
        draw: 'line',
        axis: 'right',
      },
      {
        key: 'analysis',
        metric: METRICS.analysisDepth,
        label: 'analyse',
        unit: '',
        reduce: 'max',
        color: NEUTRAL[2],
        draw: 'line',
        axis: 'right',
      },
    ],
  },
  {
    id: 'dead-letters',
    title: 'Dead letters',
    tabs: ['queues'],
    opens: 'dlq',
    floor: 5,
    series: [
      {
        key: 'dlq',
        metric: METRICS.dlqCount,
        label: 'count',
        unit: '',
        reduce: 'max',
        color: NEUTRAL[0],
        draw: 'step',
        warnAt: 1,
      },
    ],
  },
  {
    id: 'latency',
    title: 'Call latency',
    tabs: ['live'],
    floor: 100,
    series: [
      {
        key: 'p50',
        metric: METRICS.callsP50Ms,
        label: 'p50',
        unit: 'ms',
        reduce: 'max',
        color: NEUTRAL[1],
        draw: 'line',
      },
      {
        key: 'p95',
        metric: METRICS.callsP95Ms,
        label: 'p95',
        unit: 'ms',
        reduce: 'max',
        color: NEUTRAL[0],
        draw: 'line',
        warnAt: 1_000,
        criticalAt: 5_000,
      },
    ],
  },
  {
    id: 'throughput',
    title: 'Throughput',
    tabs: ['live'],
    floor: 2,
    series: [
      {
        key: 'uploads',
        metric: METRICS.uploadsPerSecond,
        label: 'in',
        unit: '/s',
        reduce: 'mean',
        color: NEUTRAL[1],
        draw: 'line',
      },
      {
        key: 'detections',
        metric: METRICS.detectionsPerSecond,
        label: 'detect',
        unit: '/s',
        reduce: 'mean',
        color: NEUTRAL[0],
        draw: 'line',
      },
      {
        key: 'events',
        metric: METRICS.eventsPerSecond,
        label: 'events',
        unit: '/s',
        reduce: 'mean',
        color: NEUTRAL[2],
        draw: 'line',
      },
    ],
  },
  {
    id: 'fallback',
    title: 'Fallback tiers',
    tabs: ['queues'],
    stacked: true,
    floor: 10,
    series: [
      {
        key: 'memory',
        metric: METRICS.memoryTier,
        label: 'memory',
        unit: '',
        reduce: 'max',
        color: 'var(--area-1)',
        draw: 'area',
        warnAt: 1,
      },
      {
        key: 'disk',
        metric: METRICS.diskTier,
        label: 'disk',
        unit: '',
        reduce: 'max',
        color: 'var(--area-2)',
        draw: 'area',
        warnAt: 1,
      },
    ],
  },
  {
    id: 'errors',
    title: 'Errors',
    tabs: ['live'],
    floor: 1,
    series: [
      {
        key: 'injected',
        metric: METRICS.injectedPerSecond,
        label: 'injected',
        unit: '/s',
        reduce: 'max',
        color: 'var(--injected)',
        draw: 'line',
      },
      {
        key: 'organic',
        metric: METRICS.organicPerSecond,
        label: 'organic',
        unit: '/s',
        reduce: 'max',
        color: 'var(--open)',
        draw: 'line',
        warnAt: 0.01,
      },
    ],
  },
  {
    id: 'vram',
    title: 'GPU memory',
    simulated: true,
    href: '/gpu',
    tabs: ['gpu'],
    stacked: true,
    floor: 1,
    ceilingMetric: METRICS.gpuTotalMib,
    series: [
      {
        key: 'allocated',
        metric: METRICS.gpuAllocatedMib,
        label: 'ours',
        unit: 'GiB',
        factor: 1 / 1024,
        reduce: 'last',
        color: 'var(--area-1)',
        draw: 'area',
      },
      {
        key: 'cached',
        metric: METRICS.gpuCachedMib,
        label: 'cache',
        unit: 'GiB',
        factor: 1 / 1024,
        reduce: 'last',
        color: 'var(--area-2)',
        draw: 'area',
      },
      {
        key: 'tenants',
        metric: METRICS.gpuTenantsMib,
        label: 'others',
        unit: 'GiB',
        factor: 1 / 1024,
        reduce: 'last',
        color: 'var(--area-3)',
        draw: 'area',
      },
    ],
  },
  {
    id: 'thermals',
    title: 'GPU heat, clock',
    simulated: true,
    href: '/gpu',
    tabs: ['gpu'],
    floor: 100,
    series: [
      {
        key: 'temperature',
        metric: METRICS.gpuTemperatureC,
        label: 'core',
        unit: '°C',
        reduce: 'max',
        color: NEUTRAL[0],
        draw: 'line',
        warnAt: 83,
        criticalAt: 90,
      },
      {
        key: 'clock',
        metric: METRICS.gpuSmClockMhz,
        label: 'clock',
        unit: 'MHz',
        reduce: 'last',
        color: NEUTRAL[1],
        draw: 'line',
        axis: 'right',
      },
    ],
  },
];
