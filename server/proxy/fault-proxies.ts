import { Agent, type Metric } from '#lib/agent/agent.ts';
import { NameServer } from '#lib/chaos/dns/name-server.ts';
import { PROXIED_SERVICES, type ProxiedService } from '#lib/chaos/faults/fault.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { createProxy, PROTOCOL_OF } from '#lib/chaos/proxy/create-proxy.ts';
import { ProxyEffect } from '#lib/chaos/proxy/fault-proxies.ts';
import type { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import type { ProxyReport } from '#lib/protocol/state.ts';
import type { Wiring } from '#server/config.ts';
import type { Logger } from '#server/logging.ts';
import type { Running } from '#server/run-process.ts';

/** Opens a fault proxy in front of every dependency and takes faults from the control process. */
export async function startFaultProxies(wiring: Wiring, logger: Logger): Promise<Running> {
  const effect = new ProxyEffect();
  const injector = new FaultInjector({ effect });
  injector.on('armed', ({ fault }) =>
    logger.info({ fault: fault.id, service: fault.service, type: fault.type }, 'fault armed'),
  );
  injector.on('ended', ({ fault, reason, activity }) =>
    logger.info({ fault: fault.id, service: fault.service, reason, hits: activity.hits }, 'fault ended'),
  );
  const proxies = PROXIED_SERVICES.map((service) =>
    createProxy({
      service,
      listen: wiring.proxied[service],
      upstream: upstreamOf(wiring, service),
      injector,
    }),
  );
  for (const proxy of proxies) effect.add(proxy);
  const names = new NameServer({ listen: wiring.nameServer, addresses: wiring.proxied, injector });
  await Promise.all([names.start(), ...proxies.map((proxy) => proxy.start())]);

  const agent = new Agent({
    controlUrl: wiring.controlUrl,
    secret: wiring.agentSecret,
    name: 'proxy',
    injector,
    metrics: proxies.flatMap(metricsOf),
    report: () => ({ kind: 'proxy', report: reportOf(proxies, wiring) }),
    onWarning: (text, error) => logger.warn({ err: error }, text),
  });
  agent.start();
  return {
    async close() {
      await agent.close();
      for (const proxy of proxies) proxy.close();
      names.close();
    },
  };
}

/** pub/sub is a second way to the same Redis. */
function upstreamOf(wiring: Wiring, service: ProxiedService): { host: string; port: number } {
  switch (service) {
    case 'yolo26':
    case 'nemotron': {
      const { hostname, port } = new URL(wiring.direct[service]);
      return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) };
    }
    case 'redis':
    case 'pubsub':
      return wiring.direct.redis;
    case 'database':
    case 'ftp':
      return wiring.direct[service];
  }
}

function metricsOf(proxy: ServiceProxy): Metric[] {
  const { service, traffic } = proxy;
  return [
    {
      name: `proxy.${service}.connections`,
      unit: 'items',
      help: `Open connections through the ${service} proxy`,
      read: () => proxy.connections,
    },
    {
      name: `proxy.${service}.requestsPerSecond`,
      unit: '1/s',
      help: `Requests, commands or queries through the ${service} proxy`,
      read: () => traffic.perSecond('requests'),
    },
    {
      name: `proxy.${service}.bytesPerSecond`,
      unit: 'B/s',
      help: `Bytes in both directions through the ${service} proxy`,
      read: () => traffic.perSecond('bytes'),
    },
    {
      name: `proxy.${service}.hitsPerSecond`,
      unit: '1/s',
      help: `Calls that faults disturbed in the ${service} proxy`,
      read: () => traffic.perSecond('hits'),
    },
  ];
}

function reportOf(proxies: readonly ServiceProxy[], wiring: Wiring): ProxyReport {
  return {
    listeners: proxies.map((proxy) => ({
      service: proxy.service,
      protocol: PROTOCOL_OF[proxy.service],
      host: wiring.proxied[proxy.service].host,
      port: proxy.port,
      upstream: `${proxy.upstream.host}:${proxy.upstream.port}`,
      listening: proxy.listening,
      connections: proxy.connections,
      requests: proxy.traffic.totals.requests,
      hits: proxy.traffic.totals.hits,
    })),
  };
}
