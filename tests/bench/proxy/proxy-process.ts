import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { FaultMatch, ProxiedService } from '#lib/chaos/faults/fault.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { validateFault } from '#lib/chaos/faults/validate.ts';
import { createProxy } from '#lib/chaos/proxy/create-proxy.ts';
import { ProxyEffect } from '#lib/chaos/proxy/fault-proxies.ts';
import { PlainSession } from '#lib/chaos/proxy/plain-session.ts';
import { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import type { SessionFactory } from '#lib/chaos/proxy/session.ts';
import { answerCalls } from '../measure-child.ts';
import { type BenchProtocol, DIALOGUES } from './wire.ts';

/** What stands in this process: the least that a relay in Node can do, or our proxies, with no to four faults. */
export type ProxyRival = 'bare relay' | 'plain' | 'aware, idle' | 'aware, 1 fault' | 'aware, 4 faults';

const HOST = '127.0.0.1';
const SERVICES: Readonly<Record<BenchProtocol, ProxiedService>> = {
  redis: 'redis',
  http: 'nemotron',
  postgres: 'database',
  ftp: 'ftp',
};
const FAULTS: Readonly<Partial<Record<ProxyRival, number>>> = { 'aware, 1 fault': 1, 'aware, 4 faults': 4 };
/** Faults that are in force and match no call of the bench. */
const MATCH_NOTHING: Readonly<Record<BenchProtocol, (index: number) => [type: string, match: FaultMatch]>> = {
  redis: (index) => ['error_reply', { command: `NEVER${index}` }],
  http: (index) => ['server_error', { route: `/never${index}` }],
  postgres: (index) => ['query_error', { sql: `never${index}` }],
  ftp: (index) => ['server_error', { command: `NEVER${index}` }],
};

const effect = new ProxyEffect();
const injector = new FaultInjector({ effect });
let ports: Record<BenchProtocol, number> | undefined;
let faultCount = 0;

async function arm(service: ProxiedService, type: string, match?: FaultMatch): Promise<string> {
  const { params } = validateFault(service, type, {});
  const id = `bench${++faultCount}`;
  await injector.arm({ id, version: 1, service, type, params, ratio: 1, seed: 7, match, ttlMs: 900_000 });
  return id;
}

async function openRelay(upstream: number): Promise<number> {
  const server = createServer({ noDelay: true }, (client) => {
    const peer = connect({ host: HOST, port: upstream, noDelay: true });
    client.pipe(peer).pipe(client);
    client.on('error', () => peer.destroy());
    peer.on('error', () => client.destroy());
    client.on('close', () => peer.destroy());
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Bytes that nobody looks at. */
const dialAndPass: SessionFactory = (link) => {
  link.connect();
  return new PlainSession(link, 'plain');
};

async function openProxy(rival: ProxyRival, protocol: BenchProtocol, upstream: number): Promise<number> {
  if (rival === 'bare relay') return openRelay(upstream);
  const service = SERVICES[protocol];
  const place = {
    service,
    listen: { host: HOST, port: 0 },
    upstream: { host: HOST, port: upstream },
    injector,
  };
  const proxy =
    rival === 'plain' ? new ServiceProxy({ ...place, createSession: dialAndPass }) : createProxy(place);
  effect.add(proxy);
  await proxy.start();
  for (let index = 0; index < (FAULTS[rival] ?? 0); index++) {
    const [type, match] = MATCH_NOTHING[protocol](index);
    await arm(service, type, match);
  }
  return proxy.port;
}

const handlers = {
  async open({ rival, upstreams }: { rival: ProxyRival; upstreams: Record<BenchProtocol, number> }) {
    const opened = await Promise.all(
      (Object.keys(upstreams) as BenchProtocol[]).map(async (protocol) => [
        protocol,
        await openProxy(rival, protocol, upstreams[protocol]),
      ]),
    );
    ports = Object.fromEntries(opened) as Record<BenchProtocol, number>;
    return ports;
  },
  /** Time on a processor so far, its user's and the kernel's, ms. */
  cpuMs(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  memory() {
    for (let n = 0; n < 3; n++) global.gc?.();
    const { heapUsed, external, rss } = process.memoryUsage();
    return { heapBytes: heapUsed + external, rssBytes: rss };
  },
  /**
   * A client with an open Redis connection calls all the time. From the injector's order until the first reply that
   * is a fault's (on), or that is Redis' again (off); and until the connection is reset (`unavailable`).
   */
  async toggle({ rounds }: { rounds: number }) {
    const on: number[] = [];
    const off: number[] = [];
    const reset: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const socket = connect({ host: HOST, port: ports?.redis ?? 0, noDelay: true });
      await once(socket, 'connect');
      let awaited: { injected: boolean; seen: () => void } | undefined;
      socket.on('data', (chunk) => {
        const injected = chunk[0] === 0x2d;
        if (awaited?.injected === injected) awaited.seen();
        socket.write(DIALOGUES.redis.small.request);
      });
      const sees = (injected: boolean) =>
        new Promise<void>((seen) => {
          awaited = { injected, seen };
        });
      const timed = async (seen: Promise<unknown>, order: () => Promise<unknown>) => {
        const startedMs = performance.now();
        const ordered = order();
        await seen;
        const tookMs = performance.now() - startedMs;
        await ordered;
        return tookMs;
      };
      socket.write(DIALOGUES.redis.small.request);
      await sees(false);
      let id = '';
      const start = async (type: string) => {
        id = await arm('redis', type);
      };
      on.push(await timed(sees(true), () => start('server_error')));
      off.push(await timed(sees(false), () => injector.end(id, 'stopped')));
      const gone = new Promise((resolve) => socket.once('error', resolve));
      reset.push(await timed(gone, () => start('unavailable')));
      await injector.end(id, 'stopped');
    }
    return { on, off, reset };
  },
};
export type ProxyCalls = typeof handlers;

answerCalls(handlers);
