import type { BreakerProfile } from '#lib/chaos/breaker/breaker-options.ts';
import type { Clock } from '#lib/chaos/clock.ts';
import {
  DEGRADATION_DEFAULTS,
  DEGRADATION_PROFILES,
  DegradationManager,
} from '#lib/chaos/degradation/degradation-manager.ts';
import type { DependencyAddresses } from '#server/dependency-addresses.ts';
import type { DependencyTracker } from '../dependencies/dependency-tracker.ts';
import { checkFtp, checkGpu, checkHttp, type DatabaseProbe } from './health-checks.ts';

export interface ServiceHealthOptions {
  profile: BreakerProfile;
  /** Where health checks connect. */
  addresses: DependencyAddresses;
  clock: Clock;
  tracker: DependencyTracker;
  databaseProbe: DatabaseProbe;
  /** PING through the proxy. */
  checkRedis: (signal: AbortSignal) => Promise<void>;
  /** A message there and back through the proxy. */
  checkPubsub: (signal: AbortSignal) => Promise<void>;
}

/** The degradation manager with the pipeline's seven services: through the proxies, past the breakers. */
export function createServiceHealth(options: ServiceHealthOptions): DegradationManager {
  const { profile, addresses, clock, tracker, databaseProbe, checkRedis, checkPubsub } = options;
  const settings = { ...DEGRADATION_DEFAULTS, ...DEGRADATION_PROFILES[profile] };
  const timeoutMs = settings.checkTimeoutMs;
  const manager = new DegradationManager({
    ...DEGRADATION_PROFILES[profile],
    clock,
    originOf: (error, service) => tracker.judge(service, error).origin,
  });
  manager.register({ name: 'database', critical: true, check: () => databaseProbe.check() });
  manager.register({ name: 'redis', critical: true, check: checkRedis });
  manager.register({
    name: 'yolo26',
    critical: false,
    check: async () => void (await checkHttp(addresses.yolo26, timeoutMs)),
  });
  manager.register({
    name: 'nemotron',
    critical: false,
    check: async () => void (await checkHttp(addresses.nemotron, timeoutMs)),
  });
  manager.register({
    name: 'gpu',
    critical: false,
    check: () => checkGpu([addresses.yolo26, addresses.nemotron], timeoutMs),
  });
  // Two round trips each: under a latency that other services bear they need twice the time.
  const twice = { critical: false, timeoutMs: timeoutMs * 2 };
  manager.register({ name: 'pubsub', ...twice, check: checkPubsub });
  manager.register({
    name: 'ftp',
    ...twice,
    check: (signal) => tracker.track('ftp', () => checkFtp(addresses.ftp, signal)),
  });
  return manager;
}
