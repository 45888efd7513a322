import type { Fault, ServiceName } from '#lib/protocol/faults.ts';
import type { BreakerStatus, DependencyStatus, PipelineReport, ServiceHealth } from '#lib/protocol/state.ts';
import { BREAKER_STATUS, type Status } from '../visual/StatusMark.tsx';
import { isProxied, serviceOf, upstreamOf } from './service-parts.ts';

/** Everything known of one service, for its tile. */
export interface ServiceView {
  name: string;
  status: Status;
  breaker: BreakerStatus | null;
  health: ServiceHealth | null;
  dependency: DependencyStatus | null;
  /** Faults of ours that act on it, those of `network` included. */
  faults: readonly Fault[];
}

/** Gravest first, for everything that is sorted by what is wrong. */
export const SEVERITY: Record<Status, number> = {
  loss: 0,
  offline: 1,
  open: 2,
  half: 3,
  degraded: 4,
  injected: 5,
  recovered: 6,
  unknown: 7,
  normal: 8,
};

/** Services with anything reported about them, worst first, then by volume, then by name. */
export function serviceViews(report: PipelineReport, faults: readonly Fault[]): ServiceView[] {
  const names = new Set([
    ...report.services.map((service) => service.name),
    ...report.dependencies.map((dependency) => dependency.name),
    ...report.breakers.map((breaker) => breaker.name),
  ]);
  return [...names]
    .map((name) => {
      const breaker = report.breakers.find((each) => each.name === name) ?? null;
      const health = report.services.find((each) => each.name === name) ?? null;
      const dependency = report.dependencies.find((each) => each.name === name) ?? null;
      const acting = faultsOn(name, faults);
      return { name, breaker, health, dependency, faults: acting, status: statusOf(breaker, health, acting) };
    })
    .sort(
      (a, b) =>
        SEVERITY[a.status] - SEVERITY[b.status] ||
        (b.dependency?.callsPerSecond ?? 0) - (a.dependency?.callsPerSecond ?? 0) ||
        a.name.localeCompare(b.name),
    );
}

/** Faults that act on a service or a breaker: its own, network faults that name it or name none. Redis faults hit pub/sub too. */
export function faultsOn<F extends Pick<Fault, 'service' | 'params'>>(
  name: string,
  faults: readonly F[],
): F[] {
  const service = serviceOf(name) ?? name;
  return faults.filter((fault) => {
    if (fault.service === service) return true;
    if (fault.service === 'redis' && service === 'pubsub') return true;
    if (fault.service !== 'network' || !isProxied(service)) return false;
    const targets = fault.params['services'];
    return !Array.isArray(targets) || targets.length === 0 || targets.includes(service);
  });
}

/** The same, then those that act upstream of it and can show here. */
export function faultsReaching<F extends Pick<Fault, 'service' | 'params'>>(
  service: ServiceName,
  faults: readonly F[],
): F[] {
  const direct = faultsOn(service, faults);
  const upstream = upstreamOf(service);
  return [
    ...direct,
    ...faults.filter((fault) => !direct.includes(fault) && upstream.includes(fault.service)),
  ];
}

export function statusOf(
  breaker: BreakerStatus | null,
  health: ServiceHealth | null,
  faults: readonly Fault[],
): Status {
  if (breaker && breaker.state !== 'CLOSED') return BREAKER_STATUS[breaker.state];
  if (health && !health.healthy) return 'open';
  if (faults.length > 0) return 'injected';
  if (!breaker && health?.checkedAt === null) return 'unknown';
  return 'normal';
}

/**
 * Keeps the order on screen while it is younger than `holdMs` or the pointer or focus is inside, so that a tile
 * never moves under the hand. New services go to the end, services that went away leave.
 */
export function holdOrder(shown: readonly string[], wanted: readonly string[]): string[] {
  const kept = shown.filter((name) => wanted.includes(name));
  return [...kept, ...wanted.filter((name) => !kept.includes(name))];
}
