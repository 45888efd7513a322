import type { ServiceName } from '#lib/protocol/faults.ts';
import { PROXIED_SERVICES, SERVICE_NAMES, UPSTREAM } from '#lib/protocol/services.ts';
import type { ProcessStatus, QueueStatus } from '#lib/protocol/state.ts';

/** What in the state belongs to a service. */
export interface ServiceParts {
  /** Name of the breaker that guards calls to it. */
  breaker: string | null;
  /** Queues whose work it does or holds. */
  queues: readonly QueueStatus['name'][];
  pool: string | null;
  /** The process behind it. */
  process: ProcessStatus['name'];
}

const PARTS: Readonly<Record<ServiceName, ServiceParts>> = {
  yolo26: { breaker: 'yolo26', queues: ['detection'], pool: null, process: 'inference' },
  nemotron: { breaker: 'nemotron', queues: ['analysis'], pool: null, process: 'inference' },
  redis: { breaker: 'redis', queues: ['detection', 'analysis'], pool: null, process: 'redis' },
  database: { breaker: 'database', queues: [], pool: 'database', process: 'database' },
  network: { breaker: null, queues: [], pool: null, process: 'proxy' },
  ftp: { breaker: null, queues: [], pool: null, process: 'pipeline' },
  gpu: { breaker: null, queues: [], pool: null, process: 'inference' },
  pubsub: { breaker: 'broadcaster', queues: [], pool: null, process: 'redis' },
  pipeline: { breaker: null, queues: ['detection', 'analysis'], pool: null, process: 'pipeline' },
  inference: { breaker: null, queues: [], pool: null, process: 'inference' },
};

export function partsOf(service: ServiceName): ServiceParts {
  return PARTS[service];
}

/** The service of that name, or the one that the breaker of that name guards. */
export function serviceOf(name: string): ServiceName | undefined {
  return SERVICE_NAMES.find((service) => service === name || PARTS[service].breaker === name);
}

/** Whether a network fault that names no service acts on this one: it stands behind a fault proxy. */
export function isProxied(name: string): boolean {
  const service = serviceOf(name);
  return PROXIED_SERVICES.some((each) => each === service);
}

/** Services whose faults show up here although they act elsewhere. The pipeline is who calls. */
export function upstreamOf(service: ServiceName): readonly ServiceName[] {
  const upstream = UPSTREAM[service] ?? [];
  return isProxied(service) ? [...upstream, 'pipeline'] : upstream;
}
