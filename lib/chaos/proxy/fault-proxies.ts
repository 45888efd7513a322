import type { FaultSpec } from '../faults/fault.ts';
import type { FaultEffect } from '../faults/injector.ts';
import type { ServiceProxy } from './service-proxy.ts';

/**
 * What makes faults happen in a set of proxies.
 *
 * `arm` resolves when the fault is in force on open and new connections of every proxy it concerns; `end` resolves
 * when the ports are open again and every connection that held a byte is gone.
 */
export class ProxyEffect implements FaultEffect {
  readonly #proxies: ServiceProxy[] = [];

  add(proxy: ServiceProxy): void {
    this.#proxies.push(proxy);
  }

  async arm(fault: FaultSpec): Promise<void> {
    const proxies = this.#concerned(fault);
    try {
      await all(proxies.map((proxy) => proxy.apply(fault)));
    } catch (error) {
      // The injector takes the fault back when this has been thrown; the proxies follow it then.
      setImmediate(() => {
        all(proxies.map((proxy) => proxy.refresh())).catch(() => {}); // the ports go on trying by themselves
      });
      throw error;
    }
  }

  async change(fault: FaultSpec, previous: FaultSpec): Promise<void> {
    const before = this.#concerned(previous);
    const now = this.#concerned(fault);
    await all([
      ...before.filter((proxy) => !now.includes(proxy)).map((proxy) => proxy.refresh()),
      ...now.map((proxy) =>
        isMore(fault, previous) || !before.includes(proxy) ? proxy.apply(fault) : proxy.refresh(),
      ),
    ]);
  }

  async end(fault: FaultSpec): Promise<void> {
    await all(this.#concerned(fault).map((proxy) => proxy.refresh()));
  }

  #concerned(fault: FaultSpec): ServiceProxy[] {
    return this.#proxies.filter((proxy) => proxy.concerns(fault));
  }
}

/** Whether a change lets a fault hit connections that it spared before. */
function isMore(fault: FaultSpec, previous: FaultSpec): boolean {
  const isWhole = ({ failFirst, rampMs }: FaultSpec) => failFirst === undefined && rampMs === undefined;
  return fault.ratio > previous.ratio || (isWhole(fault) && !isWhole(previous));
}

/** Waits for all of them before it throws what the first one threw. */
async function all(work: Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === 'rejected') throw result.reason;
  }
}
