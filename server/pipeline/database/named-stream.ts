import { type LookupFunction, Socket } from 'node:net';
import type { ClientConfig } from 'pg';

/** pg passes no `lookup` to its sockets: its streams are made here, and resolve names by it when they connect. */
export function streamBy(lookup: LookupFunction | undefined): Pick<ClientConfig, 'stream'> {
  if (!lookup) return {};
  return { stream: () => new NamedSocket(lookup) };
}

class NamedSocket extends Socket {
  readonly #lookup: LookupFunction;

  constructor(lookup: LookupFunction) {
    super();
    this.#lookup = lookup;
  }

  /** As pg calls it: `connect(port, host)`. */
  override connect(...args: unknown[]): this {
    const [port, host] = args;
    if (typeof port !== 'number' || typeof host !== 'string') {
      throw new TypeError('Expected connect(port, host)');
    }
    return super.connect({ port, host, lookup: this.#lookup });
  }
}
