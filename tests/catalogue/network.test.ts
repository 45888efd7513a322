import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { FAULT_HEADER, type ProxiedService } from '#lib/chaos/faults/fault.ts';
import type { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { BareConnection, isRefused, takesAtLeast } from '#tests/support/bare-connection.ts';
import { startProxyHarness } from '#tests/support/proxy-harness.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { type FaultProof, proveFault } from './prove-fault.ts';

const LARGE_BYTES = 64 * 1024;
/** Requests that really came to the HTTP server. */
const served = new Set<string>();
// What is kept open through a proof of any length must not be closed by the server.
const http = createServer({ keepAliveTimeout: 120_000 }, (incoming, response) => {
  const path = incoming.url ?? '';
  served.add(path);
  incoming.resume();
  incoming.on('end', () => {
    if (path.startsWith('/close')) response.setHeader('connection', 'close');
    response.end(path.startsWith('/large') ? `${'x'.repeat(LARGE_BYTES)}complete` : 'complete');
  });
});
let upstream: { host: string; port: number };
let redis: TestRedis;

vi.setConfig({ maxConcurrency: 8 }); // they mostly wait

beforeAll(async () => {
  http.listen(0, '127.0.0.1');
  await new Promise((resolve) => http.once('listening', resolve));
  upstream = { host: '127.0.0.1', port: (http.address() as AddressInfo).port };
  redis = await startTestRedis();
});
afterAll(async () => {
  http.closeAllConnections();
  http.close();
  await redis.close();
});

/** Two HTTP services and Redis, each behind its proxy, with an idle connection to each. */
interface NetworkBench {
  readonly injector: FaultInjector;
  readonly ports: Readonly<Record<'yolo26' | 'nemotron' | 'redis', number>>;
  /** Made before the fault and known to work. */
  readonly open: Readonly<Record<'yolo26' | 'nemotron' | 'redis', BareConnection>>;
  dial(service: Service): BareConnection;
  close(): Promise<void>;
}
type Service = keyof NetworkBench['ports'];

let paths = 0;
const uniquePath = (kind = 'get') => `/${kind}/${++paths}`;
const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;

async function openBench(): Promise<NetworkBench> {
  const harness = startProxyHarness();
  const at = async (service: ProxiedService, server: { host: string; port: number }) =>
    (await harness.open(service, server)).port;
  const ports = {
    yolo26: await at('yolo26', upstream),
    nemotron: await at('nemotron', upstream),
    redis: await at('redis', redis),
  };
  const connections: BareConnection[] = [];
  const dial = (service: Service) => {
    const connection = new BareConnection(ports[service]);
    connections.push(connection);
    return connection;
  };
  const open = { yolo26: dial('yolo26'), nemotron: dial('nemotron'), redis: dial('redis') };
  await Promise.all([
    open.yolo26.ask(get('/open')),
    open.nemotron.ask(get('/open')),
    open.redis.ask('PING\r\n'),
  ]);
  return {
    injector: harness.injector,
    ports,
    open,
    dial,
    async close() {
      for (const connection of connections) connection.close();
      await harness.close();
    },
  };
}

/** Whether a service answers on a new connection as if nothing was the matter. */
async function works({ dial }: NetworkBench, service: Service): Promise<boolean> {
  const connection = dial(service);
  const answer = await connection.ask(service === 'redis' ? 'PING\r\n' : get(uniquePath()));
  connection.close();
  return service === 'redis' ? answer === '+PONG\r\n' : answer.startsWith('HTTP/1.1 200 OK\r\n');
}

const prove = (type: string, proof: Omit<FaultProof<NetworkBench>, 'serves'>) =>
  proveFault('network', type, openBench, {
    serves: async (bench) =>
      (await works(bench, 'yolo26')) && (await works(bench, 'nemotron')) && works(bench, 'redis'),
    ...proof,
  });

prove('latency', {
  params: { latencyMs: 200 },
  ttlMs: 3000,
  hitKind: 'PING',
  async seesEffect({ dial }) {
    const [web, cache] = [dial('nemotron'), dial('redis')];
    const late = (work: () => Promise<unknown>) => takesAtLeast(195, work, 3);
    return (await late(() => web.ask(get(uniquePath())))) && late(() => cache.ask('PING\r\n'));
  },
});

prove('bandwidth', {
  params: { rateKibPerSecond: 128, services: ['yolo26'] },
  ttlMs: 3500,
  hitKind: 'connection',
  async seesEffect({ dial }) {
    const whole = async (service: Service, request: string) => {
      const connection = dial(service);
      await connection.ask(request);
      expect(await connection.receives('complete')).toBe(true);
      connection.close();
    };
    const body = `content-length: ${LARGE_BYTES}\r\n\r\n${'x'.repeat(LARGE_BYTES)}`;
    const download = (service: Service) => whole(service, get(uniquePath('large')));
    const upload = (service: Service) =>
      whole(service, `POST ${uniquePath()} HTTP/1.1\r\nhost: x\r\n${body}`);
    // 64 KiB at 128 KiB/s take half a second in each direction.
    const narrow = await Promise.all([
      takesAtLeast(450, () => download('yolo26'), 3),
      takesAtLeast(450, () => upload('yolo26'), 3),
    ]);
    return narrow.every((each) => each) && !(await takesAtLeast(450, () => download('nemotron')));
  },
});

prove('slow_close', {
  params: { delayMs: 300 },
  ttlMs: 2000,
  hitKind: 'close',
  async seesEffect({ dial }) {
    for (let n = 0; n < 3; n++) {
      const connection = dial('nemotron');
      const answer = await connection.ask(get(uniquePath('close')));
      const answeredMs = performance.now();
      expect([answer.startsWith('HTTP/1.1 200'), await connection.ended]).toEqual([true, 'closed']);
      if (performance.now() - answeredMs < 290) return false;
    }
    return true;
  },
});

prove('flapping', {
  params: { offMs: 100, onMs: 100, services: ['yolo26'] },
  ttlMs: 2000,
  hitKind: 'connection',
  async seesEffect(bench) {
    const untilMs = performance.now() + 400;
    const seen: string[] = [];
    const accepted: BareConnection[] = [];
    while (performance.now() < untilMs) {
      const connection = bench.dial('yolo26');
      await connection.settled;
      if (connection.end === undefined) accepted.push(connection);
      const now = connection.end === 'refused' ? 'off' : 'on';
      if (seen.at(-1) !== now) seen.push(now);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const resets = accepted.filter(({ end }) => end === 'reset').length;
    return /off,on,off/.test(seen.join()) && resets > 0 && works(bench, 'nemotron');
  },
});

prove('partition', {
  params: { services: ['yolo26', 'redis'] },
  ttlMs: 1500,
  hitKind: 'bytes from client',
  async seesEffect(bench) {
    const { open, dial } = bench;
    const path = uniquePath();
    const fresh = { yolo26: dial('yolo26'), redis: dial('redis') };
    const asked = [open.yolo26, fresh.yolo26].map((each) => each.ask(get(path), 300));
    const pinged = [open.redis, fresh.redis].map((each) => each.ask('PING\r\n', 300));
    const answers = await Promise.all([...asked, ...pinged]);
    if (answers.some((answer) => answer !== '')) return false;
    // A busy machine is silent for a moment, too: who asks after them, past the fault, gets an answer first.
    if (!(await works(bench, 'nemotron'))) return false;
    // Silent, not gone: nobody is told that the other side cannot be reached.
    return (
      [fresh.yolo26, fresh.redis].every(({ end, text }) => end === undefined && text === '') &&
      !served.has(path)
    );
  },
  // Who was cut off is reset at the end, rather than left for its time-out.
  async afterwards({ open }) {
    const ends = [open.yolo26.endsWithin(5000), open.redis.endsWithin(5000)];
    expect(await Promise.all(ends)).toEqual(['reset', 'reset']);
    expect(open.nemotron.end).toBeUndefined();
  },
});

prove('timeout', {
  params: { delayMs: 300, services: ['yolo26'] },
  ttlMs: 1500,
  hitKind: /^GET \/get/,
  async seesEffect(bench) {
    const { open, dial } = bench;
    const path = uniquePath();
    const fresh = dial('yolo26');
    const startedMs = performance.now();
    const answers = await Promise.all([fresh.ask(get(path)), open.yolo26.ask(get(path))]);
    const heldMs = performance.now() - startedMs;
    if (answers.some((answer) => answer !== '')) return false;
    expect(served.has(path)).toBe(false);
    return heldMs > 295 && fresh.end === 'closed' && open.yolo26.end === 'closed' && works(bench, 'nemotron');
  },
});

prove('connection_error', {
  hitKind: 'connection',
  seesEffect: ({ ports, open }) => allAre('closed', ports, open),
});

prove('unavailable', {
  hitKind: 'connection',
  seesEffect: ({ ports, open }) => allAre('reset', ports, open),
});

/** Whether every port refuses, and every connection that was open ended in this way. */
async function allAre(end: 'closed' | 'reset', ports: NetworkBench['ports'], open: NetworkBench['open']) {
  const refused = await Promise.all(Object.values(ports).map(isRefused));
  return refused.every((each) => each) && Object.values(open).every((each) => each.end === end);
}

prove('server_error', {
  params: { status: 503 },
  hitKind: /^GET \/get/,
  async seesEffect({ open }) {
    const path = uniquePath();
    const web = await open.yolo26.ask(get(path));
    const cache = await open.redis.ask('PING\r\n');
    const injected =
      web.startsWith('HTTP/1.1 503 ') && web.includes(`${FAULT_HEADER}: proof-network-server_error`);
    expect(served.has(path)).toBe(!injected);
    return (
      injected && cache === '-ERR injected by fault server_error [brownout:proof-network-server_error]\r\n'
    );
  },
});

prove('intermittent', {
  hitKind: /^GET \/get/,
  async seesEffect({ open }) {
    const requests = Array.from({ length: 24 }, () => uniquePath());
    const failed: string[] = [];
    for (const path of requests) {
      const answer = await open.nemotron.ask(get(path));
      expect(answer).toMatch(/^HTTP\/1\.1 (200|500) /);
      if (answer.startsWith('HTTP/1.1 500 ')) failed.push(path);
    }
    // The same connection throughout; what failed did not reach the server, what did not fail did.
    expect(requests.filter((path) => !served.has(path))).toEqual(failed);
    return failed.length > 0 && failed.length < requests.length;
  },
});

prove('packet_loss', {
  hitKind: /^GET \/get/,
  async seesEffect({ dial }) {
    const requests = Array.from({ length: 30 }, () => ({ path: uniquePath(), over: dial('yolo26') }));
    const answers = await Promise.all(requests.map(({ path, over }) => over.ask(get(path))));
    const lost = requests.filter((_, index) => answers[index] === '');
    expect(requests.filter(({ path }) => !served.has(path))).toEqual(lost);
    return lost.length > 0 && lost.length < 30 && lost.every(({ over }) => over.end === 'reset');
  },
});
