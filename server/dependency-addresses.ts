import type { LookupFunction } from 'node:net';
import { createNamedLookup } from '#lib/chaos/dns/named-lookup.ts';
import { serviceName } from '#lib/chaos/dns/service-name.ts';
import type { ProxiedService } from '#lib/chaos/faults/fault.ts';
import type { Wiring } from './config.ts';

export interface DependencyAddress {
  host: string;
  port: number;
  /** How `host` is resolved for each new connection. @default as the system does */
  lookup?: LookupFunction | undefined;
}

export type DependencyAddresses = Readonly<Record<ProxiedService, DependencyAddress>>;

/**
 * Where the clients of the system under test connect: to the fault proxies, by name. Each new connection asks the
 * name server of the proxy process; open connections know nothing of it.
 */
export function dependencyAddresses(
  wiring: Pick<Wiring, 'nameServer' | 'proxied'>,
  { healthCheck = false } = {},
): DependencyAddresses {
  const { nameServer, proxied } = wiring;
  if (nameServer.port === 0) return proxied;
  const lookup = createNamedLookup({ server: nameServer });
  const named = (service: ProxiedService): DependencyAddress => ({
    host: serviceName(service, healthCheck),
    port: proxied[service].port,
    lookup,
  });
  return {
    yolo26: named('yolo26'),
    nemotron: named('nemotron'),
    redis: named('redis'),
    pubsub: named('pubsub'),
    database: named('database'),
    ftp: named('ftp'),
  };
}
