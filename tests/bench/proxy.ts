import { startTestRedis } from '#tests/support/redis.ts';
import { atLeast, atMost, type BenchReport, percentile, Samples, shown, summarise } from './measure.ts';
import { type Child, startChild } from './measure-child.ts';
import type { LoadCalls } from './proxy/load-process.ts';
import type { ProxyCalls, ProxyRival } from './proxy/proxy-process.ts';
import { startToxiproxy, type Toxiproxy } from './proxy/toxiproxy.ts';
import type { UpstreamCalls } from './proxy/upstream-process.ts';
import type { BenchProtocol } from './proxy/wire.ts';

const RIVALS: readonly ProxyRival[] = [
  'bare relay',
  'plain',
  'aware, idle',
  'aware, 1 fault',
  'aware, 4 faults',
];
const PROXY_PROCESS = new URL('./proxy/proxy-process.ts', import.meta.url);
const PROTOCOLS: readonly BenchProtocol[] = ['redis', 'http', 'postgres', 'ftp'];

interface Size {
  rounds: number;
  forMs: number;
  /** Of the first round, which is thrown away: long enough for the compiler to have seen every path. */
  warmUpMs: number;
  many: number;
  /** Where Redis or HTTP is spoken. */
  most: number;
  idle: number;
  toggles: number;
}
const FULL: Size = { rounds: 5, forMs: 300, warmUpMs: 900, many: 50, most: 500, idle: 2000, toggles: 200 };
const SMOKE: Size = { rounds: 1, forMs: 30, warmUpMs: 30, many: 2, most: 3, idle: 20, toggles: 2 };

/** Something that stands between the load and its server, in a process of its own. */
interface Stand {
  readonly name: string;
  readonly ports: Partial<Record<BenchProtocol, number>>;
  readonly proxy?: Child<ProxyCalls>;
}

/**
 * What our proxies cost, beside a direct connection, a bare relay in Node and Toxiproxy where the machine has it.
 *
 * The load generator, each proxy and the servers are processes of their own that the kernel spreads over the cores;
 * what is not being measured has nothing to do.
 */
export async function benchProxy(smoke: boolean): Promise<BenchReport> {
  const size = smoke ? SMOKE : FULL;
  const redis = await startTestRedis();
  const upstream = startChild<UpstreamCalls>(new URL('./proxy/upstream-process.ts', import.meta.url));
  const load = startChild<LoadCalls>(new URL('./proxy/load-process.ts', import.meta.url));
  const toxiproxy = await startToxiproxy();
  const stands: Stand[] = [];
  try {
    const upstreams = { redis: redis.port, ...(await upstream.call('open', undefined)) };
    stands.push({ name: 'direct', ports: upstreams });
    await Promise.all(
      RIVALS.map(async (name, index) => {
        const proxy = startChild<ProxyCalls>(PROXY_PROCESS, ['--expose-gc']);
        stands[index + 1] = { name, proxy, ports: await proxy.call('open', { rival: name, upstreams }) };
      }),
    );
    if (toxiproxy) stands.push(await standOf(toxiproxy, upstreams));

    const samples = new Samples();
    const scratch = new Samples();
    for (let round = -1; round < size.rounds; round++) {
      const into = round < 0 ? scratch : samples;
      const sized = round < 0 ? { ...size, forMs: size.warmUpMs } : size;
      await measureRequests(into, stands, load, sized);
      await measureBulk(into, stands, load, sized);
    }
    const idle = await measureIdle(stands, load, size);
    const toggles = await measureToggles(stands, load, size);
    return {
      part: 'proxy',
      what:
        `${size.rounds} interleaved rounds of ${size.forMs} ms; load generator, proxy and server are one process each; ` +
        `real Redis, stand-in HTTP, PostgreSQL and FTP servers; ${toxiproxy ? `Toxiproxy ${toxiproxy.version}` : 'no toxiproxy-server on PATH'}`,
      measurements: [...samples.summaries(), ...idle, ...toggles.measurements],
      ratios: [...ratiosOf(samples, toxiproxy !== undefined, size), ...toggles.ratios],
      rivals: {
        direct: 'the load generator connected to the server itself',
        'bare relay':
          'two sockets and `pipe` both ways, noDelay, in a process of its own: the least that Node can do',
        plain: 'our proxy with a session that looks at nothing: what protocol awareness is measured against',
        Toxiproxy: toxiproxy
          ? `${toxiproxy.version}, one proxy without toxics for each server, made over its HTTP API as its README has it; LOG_LEVEL=error`
          : 'not measured: no `toxiproxy-server` on PATH',
      },
    };
  } finally {
    for (const { proxy } of stands) await proxy?.close();
    await toxiproxy?.close();
    await load.close();
    await upstream.close();
    await redis.close();
  }
}

async function standOf(toxiproxy: Toxiproxy, upstreams: Record<BenchProtocol, number>): Promise<Stand> {
  const [redis, http] = await Promise.all([
    toxiproxy.open('redis', upstreams.redis),
    toxiproxy.open('http', upstreams.http),
  ]);
  return { name: 'toxiproxy', ports: { redis, http } };
}

/** Small calls: over many connections, and over one and most where Redis or HTTP is spoken. */
async function measureRequests(
  samples: Samples,
  stands: readonly Stand[],
  load: Child<LoadCalls>,
  { forMs, many, most }: Size,
): Promise<void> {
  for (const protocol of PROTOCOLS) {
    const counts = protocol === 'redis' || protocol === 'http' ? [many, 1, most] : [many];
    for (const connections of counts) {
      for (const { name, ports, proxy } of stands) {
        const port = ports[protocol];
        if (port === undefined) continue;
        const beforeMs = await proxy?.call('cpuMs', undefined);
        const { perSecond, count, p50Ms, p99Ms } = await load.call('requests', {
          port,
          protocol,
          connections,
          forMs,
        });
        const label = `${protocol} × ${connections}, ${name}`;
        samples.add(`${label}`, 'requests/s', perSecond);
        samples.add(`${label}: p50`, 'ms', p50Ms);
        samples.add(`${label}: p99`, 'ms', p99Ms);
        if (proxy && beforeMs !== undefined) {
          const cpuMs = (await proxy.call('cpuMs', undefined)) - beforeMs;
          samples.add(`${label}: CPU`, 'µs/request', (cpuMs * 1000) / count);
        }
      }
    }
  }
}

/** Large values over two connections; upwards first, so that Redis has what is read downwards. */
async function measureBulk(
  samples: Samples,
  stands: readonly Stand[],
  load: Child<LoadCalls>,
  { forMs }: Size,
): Promise<void> {
  for (const protocol of ['redis', 'http'] as const) {
    for (const direction of ['up', 'down'] as const) {
      for (const { name, ports } of stands) {
        const port = ports[protocol];
        if (port === undefined) continue;
        const { mbPerSecond } = await load.call('bulk', { port, protocol, connections: 2, forMs, direction });
        samples.add(`${protocol} bulk ${direction}, ${name}`, 'MB/s', mbPerSecond);
      }
    }
  }
}

/** Memory of a connection that has made one call and says nothing more: both of its sockets and ours between them. */
async function measureIdle(stands: readonly Stand[], load: Child<LoadCalls>, { idle }: Size) {
  const measurements = [];
  for (const protocol of ['redis', 'http'] as const) {
    for (const { name, ports, proxy } of stands) {
      const port = ports[protocol];
      if (!proxy || port === undefined) continue;
      const before = await proxy.call('memory', undefined);
      await load.call('hold', { port, protocol, connections: idle });
      const after = await proxy.call('memory', undefined);
      await load.call('release', undefined);
      const perConnection = (key: 'heapBytes' | 'rssBytes') => (after[key] - before[key]) / idle / 1024;
      measurements.push(
        summarise(`${protocol} idle connection, ${name}: heap`, 'KiB', [perConnection('heapBytes')]),
        summarise(`${protocol} idle connection, ${name}: RSS`, 'KiB', [perConnection('rssBytes')]),
      );
    }
  }
  return measurements;
}

/** From the injector's order to its effect on an open connection, while others are busy. */
async function measureToggles(stands: readonly Stand[], load: Child<LoadCalls>, { toggles, many }: Size) {
  const { proxy, ports } = stands.find(({ name }) => name === 'aware, idle') ?? {};
  if (!proxy || ports?.http === undefined) throw new Error('No aware proxy to toggle faults in');
  await load.call('busy', { port: ports.http, protocol: 'http', connections: many });
  const { on, off, reset } = await proxy.call('toggle', { rounds: toggles });
  await load.call('rest', undefined);
  const p99 = (name: string, samples: readonly number[]) => {
    return atMost(`${name}, p99 ms`, percentile(samples, 0.99), 20);
  };
  return {
    measurements: [
      summarise('fault on to effect', 'ms', on),
      summarise('fault off to effect', 'ms', off),
      summarise('unavailable to reset', 'ms', reset),
    ],
    ratios: [
      p99('fault on to effect', on),
      p99('fault off to effect', off),
      p99('unavailable to reset', reset),
    ],
  };
}

function ratiosOf(samples: Samples, besideToxiproxy: boolean, { many }: Size): BenchReport['ratios'] {
  const cpu = (protocol: BenchProtocol, rival: ProxyRival) => `${protocol} × ${many}, ${rival}: CPU`;
  const many50 = (protocol: BenchProtocol, name: string) => `${protocol} × ${many}, ${name}`;
  return [
    ...PROTOCOLS.flatMap((protocol) => [
      atMost(
        `${protocol}: CPU, aware idle / plain`,
        samples.ratio(cpu(protocol, 'aware, idle'), cpu(protocol, 'plain')),
        1.15,
      ),
      atMost(
        `${protocol}: time a request, aware idle / plain`,
        samples.ratio(many50(protocol, 'plain'), many50(protocol, 'aware, idle')),
        1.15,
      ),
      ...(['aware, 1 fault', 'aware, 4 faults'] as const).map((armed) =>
        shown(
          `${protocol}: CPU, ${armed} / aware idle`,
          samples.ratio(cpu(protocol, armed), cpu(protocol, 'aware, idle')),
        ),
      ),
      shown(
        `${protocol}: requests/s, plain / bare relay`,
        samples.ratio(many50(protocol, 'plain'), many50(protocol, 'bare relay')),
      ),
    ]),
    ...(['redis', 'http'] as const).flatMap((protocol) =>
      (['down', 'up'] as const).map((direction) =>
        shown(
          `${protocol} bulk ${direction}, aware idle / bare relay`,
          samples.ratio(
            `${protocol} bulk ${direction}, aware, idle`,
            `${protocol} bulk ${direction}, bare relay`,
          ),
        ),
      ),
    ),
    ...(besideToxiproxy
      ? [
          atLeast(
            'redis: requests/s, plain / Toxiproxy',
            samples.ratio(many50('redis', 'plain'), many50('redis', 'toxiproxy')),
            1.15,
          ),
          atMost(
            'redis × 1: p50, plain / Toxiproxy',
            samples.ratio('redis × 1, plain: p50', 'redis × 1, toxiproxy: p50'),
            1,
          ),
          ...(['down', 'up'] as const).map((direction) =>
            atLeast(
              `redis bulk ${direction}, plain / Toxiproxy`,
              samples.ratio(`redis bulk ${direction}, plain`, `redis bulk ${direction}, toxiproxy`),
              1,
            ),
          ),
        ]
      : []),
  ];
}
