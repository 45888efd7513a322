import { lookup as systemLookup } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { DNS_ZONE } from './service-name.ts';

export interface NamedLookupOptions {
  /** The name server to ask for names of our zone; a port on loopback. */
  server: { host: string; port: number };
  /** Longest wait for an answer, ms. @default 5000 */
  timeoutMs?: number;
}

/** As the resolver of the C library waits for one answer, ms. */
const TIMEOUT_MS = 5000;

/** How the failures of a resolver look to somebody who connects. */
const CODES: Readonly<Record<string, string>> = { ENOTFOUND: 'ENOTFOUND', ENODATA: 'ENOTFOUND' };

/**
 * A `lookup` for sockets that asks our name server for the names of its zone, once for each new connection, keeping
 * nothing; every other name goes to the system. Failures are those of getaddrinfo: ENOTFOUND when there is no such
 * name, EAI_AGAIN when the server failed, was silent or is not there.
 */
export function createNamedLookup({ server, timeoutMs = TIMEOUT_MS }: NamedLookupOptions): LookupFunction {
  return (hostname, options, callback) => {
    if (!hostname.toLowerCase().endsWith(`.${DNS_ZONE}`)) {
      systemLookup(hostname, options, callback);
      return;
    }
    // One of its own each time: a resolver shortens its time-out by what it has seen.
    const resolver = new Resolver({ timeout: timeoutMs, tries: 1 });
    resolver.setServers([`${server.host}:${server.port}`]);
    const family = options.family === 6 || options.family === 'IPv6' ? 6 : 4;
    const asked = family === 6 ? resolver.resolve6(hostname) : resolver.resolve4(hostname);
    asked.then(
      (addresses) => {
        const [first = ''] = addresses;
        if (options.all)
          callback(
            null,
            addresses.map((address) => ({ address, family })),
          );
        else callback(null, first, family);
      },
      (cause: NodeJS.ErrnoException) => {
        const code = CODES[cause.code ?? ''] ?? 'EAI_AGAIN';
        const error = new Error(`getaddrinfo ${code} ${hostname}`, { cause });
        callback(Object.assign(error, { code, syscall: 'getaddrinfo', hostname }), []);
      },
    );
  };
}
