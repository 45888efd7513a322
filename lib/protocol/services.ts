import type { ServiceName } from '../chaos/faults/fault.ts';

export { PROXIED_SERVICES, SERVICE_NAMES } from '../chaos/faults/fault.ts';

/** Services that the pipeline calls and counts the calls of, in the order in which they are reported. */
export const DEPENDENCY_NAMES = ['yolo26', 'nemotron', 'redis', 'database', 'pubsub', 'ftp'] as const;
export type DependencyName = (typeof DEPENDENCY_NAMES)[number];

/** What stands upstream of a service: a fault there shows up here. The one place that says so. */
export const UPSTREAM: Readonly<Partial<Record<ServiceName, readonly ServiceName[]>>> = {
  yolo26: ['gpu', 'inference'],
  nemotron: ['gpu', 'inference'],
  gpu: ['inference', 'yolo26', 'nemotron'], // its state is read from their /health
  pubsub: ['redis'],
};
