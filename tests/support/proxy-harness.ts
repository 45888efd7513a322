import type { FaultParams, ProxiedService, ServiceName } from '#lib/chaos/faults/fault.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { createProxy } from '#lib/chaos/proxy/create-proxy.ts';
import { ProxyEffect } from '#lib/chaos/proxy/fault-proxies.ts';
import type { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import { findFreePort } from '#server/embedded/free-port.ts';
import { type FaultSpecOptions, faultSpec } from './fault-spec.ts';

export interface ProxyHarness {
  readonly injector: FaultInjector;
  /** Puts a proxy in front of a real server, on a free port. */
  open(service: ProxiedService, upstream: { host: string; port: number }): Promise<ServiceProxy>;
  /** Arms a fault of the catalogue; gives its id. */
  arm(service: ServiceName, type: string, options?: FaultSpecOptions): Promise<string>;
  /** Changes an armed fault as the desk does: the same fault in its next version. */
  change(id: string, to: { params?: FaultParams; ratio?: number }): Promise<void>;
  end(id: string): Promise<void>;
  endAll(): Promise<void>;
  close(): Promise<void>;
}

/** Fault proxies with their injector, as the proxy process has them, without a control process. */
export function startProxyHarness(): ProxyHarness {
  const effect = new ProxyEffect();
  const injector = new FaultInjector({ effect });
  const proxies: ServiceProxy[] = [];
  let count = 0;
  return {
    injector,
    async open(service, upstream) {
      // Not port 0: one of the ephemeral range, while it is closed, can be taken by a client that connects to itself.
      const port = await findFreePort();
      const proxy = createProxy({ service, listen: { host: '127.0.0.1', port }, upstream, injector });
      effect.add(proxy);
      proxies.push(proxy);
      await proxy.start();
      return proxy;
    },
    async arm(service, type, options = {}) {
      const id = `f${++count}`;
      await injector.arm(faultSpec(id, service, type, options));
      return id;
    },
    async change(id, to) {
      const fault = injector.all().find((each) => each.id === id);
      if (!fault) throw new Error(`Fault ${id} is not armed`);
      await injector.change({
        ...fault,
        version: fault.version + 1,
        params: { ...fault.params, ...to.params },
        ratio: to.ratio ?? fault.ratio,
      });
    },
    async end(id) {
      await injector.end(id, 'stopped');
    },
    endAll: () => injector.endAll('stopped'),
    async close() {
      await injector.close();
      for (const proxy of proxies) proxy.close();
    },
  };
}
