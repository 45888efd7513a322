import { PROXIED_SERVICES, type ProxiedService } from '../faults/fault.ts';

/** Names below it are answered by our own name server; it is reserved for private use (ICANN, 2024). */
export const DNS_ZONE = 'brownout.internal';
const HEALTH_LABEL = 'health';

export interface NamedService {
  readonly service: ProxiedService;
  /** Connections of health checks have a name of their own, so that their rhythm does not shift the other verdicts. */
  readonly healthCheck: boolean;
}

/** `redis.brownout.internal`, or `health.redis.brownout.internal` for health checks. */
export function serviceName(service: ProxiedService, healthCheck = false): string {
  return `${healthCheck ? `${HEALTH_LABEL}.` : ''}${service}.${DNS_ZONE}`;
}

/** What a name stands for; undefined when it is none of ours. */
export function readServiceName(name: string): NamedService | undefined {
  const [service, healthCheck] = name.startsWith(`${HEALTH_LABEL}.`)
    ? [name.slice(HEALTH_LABEL.length + 1), true]
    : [name, false];
  const known = PROXIED_SERVICES.find((each) => service === serviceName(each));
  return known && { service: known, healthCheck };
}
