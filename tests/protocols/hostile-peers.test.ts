import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ProxiedService } from '#lib/chaos/faults/fault.ts';
import type { ServiceProxy } from '#lib/chaos/proxy/service-proxy.ts';
import { createRandom } from '#lib/chaos/random.ts';
import { hostileStreams, randomCut } from '#tests/support/hostile-bytes.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { TRANSCRIPTS, type Transcript } from '#tests/support/transcripts.ts';

const STREAMS = 40;
/** A peer that has had no news for so long has got all there is. */
const QUIET_MS = 100;
/** Longest wait for an answer that must come. */
const PATIENCE_MS = 10_000;

let harness: ProxyHarness;
let redis: TestRedis;
let postgres: TestPostgres;
const servers: { close(): unknown }[] = [];
const proxies = new Map<ProxiedService, ServiceProxy>();

async function listening(server: Server): Promise<{ host: string; port: number }> {
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  servers.push(server);
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

/** Says 200 to every line, and gives passive ports that nobody can dial. */
const ftp = createServer((socket) => {
  socket.on('error', () => {});
  socket.write('220 ready\r\n');
  socket.on('data', (bytes) => {
    for (const line of bytes.toString('latin1').split('\n').slice(0, -1)) {
      socket.write(/^(PASV|EPSV)/i.test(line) ? '227 go (127,0,0,1,999,999)\r\n' : '200 fine\r\n');
    }
  });
});
const http = createHttpServer((incoming, response) => {
  incoming.resume().on('end', () => response.end('{"score":1}'));
});
http.on('clientError', (_error, socket) => socket.destroy());

beforeAll(async () => {
  [redis, postgres] = await Promise.all([startTestRedis(), startTestPostgres()]);
  harness = startProxyHarness();
  const upstreams = {
    redis,
    database: postgres,
    yolo26: await listening(http as Server),
    ftp: await listening(ftp),
  } as const;
  for (const [service, upstream] of Object.entries(upstreams)) {
    proxies.set(service as ProxiedService, await harness.open(service as ProxiedService, upstream));
  }
}, 60_000);
afterEach(() => harness.endAll());
afterAll(async () => {
  await harness.close();
  http.closeAllConnections();
  for (const server of servers) server.close();
  await Promise.all([redis.close(), postgres.close()]);
});

/** Sends `chunks` on a connection of its own and reads until it is closed or quiet. */
function exchange(port: number, chunks: Iterable<Buffer>): Promise<string> {
  return readUntil(port, chunks, 5 * QUIET_MS, () => false);
}

/** Sends `bytes` and reads until `answer` has come, however long a busy machine takes over it. */
function ask(port: number, bytes: string, answer: string): Promise<string> {
  return readUntil(port, [Buffer.from(bytes)], PATIENCE_MS, (text) => text.includes(answer));
}

function readUntil(
  port: number,
  chunks: Iterable<Buffer>,
  quietMs: number,
  isWhole: (text: string) => boolean,
): Promise<string> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1');
    let text = '';
    const done = () => {
      clearTimeout(quiet);
      socket.destroy();
      resolve(text);
    };
    let quiet = setTimeout(done, PATIENCE_MS); // to connect
    socket.setNoDelay(true);
    socket.on('data', (part) => {
      text += part.toString('latin1');
      if (isWhole(text)) done();
      else quiet.refresh();
    });
    socket.on('error', () => {});
    socket.on('close', done);
    socket.on('connect', () => {
      clearTimeout(quiet);
      quiet = setTimeout(done, quietMs);
      for (const chunk of chunks) socket.write(chunk);
    });
  });
}

/** What a client that means well gets, waiting for `answer`. */
const ASKS: Readonly<Record<string, (port: number, answer: string) => Promise<string>>> = {
  redis: (port, answer) => ask(port, 'PING\r\nQUIT\r\n', answer),
  yolo26: (port, answer) => ask(port, 'GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', answer),
  ftp: (port, answer) => ask(port, 'NOOP\r\n', answer),
  async database(port) {
    const { host, user, password, database } = postgres;
    const client = new Client({ host, port, user, password, database, connectionTimeoutMillis: 10_000 });
    await client.connect();
    const { rows } = await client.query('SELECT 40 + 2 AS answer');
    await client.end();
    return JSON.stringify(rows);
  },
};
const ANSWERS: Readonly<Record<string, string>> = {
  redis: '+PONG',
  yolo26: '{"score":1}',
  ftp: '200 fine',
  database: '{"answer":42}',
};

const FAULTS: Readonly<Record<string, readonly string[]>> = {
  redis: ['intermittent', 'latency'],
  yolo26: ['intermittent', 'malformed_response'],
  ftp: ['intermittent', 'latency'],
  database: ['intermittent', 'latency'],
};
const PARAMS: Readonly<Record<string, Record<string, unknown>>> = {
  latency: { latencyMs: 20, jitterMs: 10 },
  malformed_response: { mode: 'missing_score' },
};

async function armFor(service: ProxiedService): Promise<void> {
  for (const type of FAULTS[service] ?? []) {
    await harness.arm(service, type, { params: PARAMS[type] ?? {}, ratio: 0.5 });
  }
}

describe.each(TRANSCRIPTS)('The $name proxy', ({ service, turns }: Transcript) => {
  const sent = (side: 'client' | 'server') =>
    turns.filter(([from]) => from === side).map(([, bytes]) => bytes);
  const answer = String(ANSWERS[service]);

  it('survives hostile clients, and answers the next one', async () => {
    const proxy = proxies.get(service) as ServiceProxy;
    await armFor(service);
    const random = createRandom(31);
    const models = [...sent('client'), Buffer.concat(sent('client'))];
    const streams = [...hostileStreams(32, STREAMS, models)];
    await Promise.all(streams.map((stream) => exchange(proxy.port, randomCut(stream, random))));
    await vi.waitFor(() => expect(proxy.traffic.totals.requests).toBeGreaterThan(0), 10_000);
    await harness.endAll();
    expect(await ASKS[service]?.(proxy.port, answer)).toContain(answer);
    await vi.waitFor(() => expect(proxy.connections).toBe(0), 10_000);
  });

  it('survives hostile servers, and answers the next client', async () => {
    const streams = hostileStreams(33, STREAMS, [...sent('server'), Buffer.concat(sent('server'))]);
    const random = createRandom(34);
    const hostile = createServer((socket) => {
      const { value } = streams.next();
      socket.on('error', () => {});
      socket.on('data', () => {});
      socket.setTimeout(20 * QUIET_MS, () => socket.destroy());
      for (const chunk of randomCut(value ?? Buffer.alloc(0), random)) socket.write(chunk);
    });
    const proxy = await harness.open(service, await listening(hostile));
    await armFor(service);
    const bytes = Buffer.concat(sent('client'));
    await Promise.all(Array.from({ length: STREAMS }, () => exchange(proxy.port, [bytes])));
    await harness.endAll();
    // The same port, and a server that means well behind it.
    hostile.close();
    hostile.removeAllListeners('connection');
    const well = proxies.get(service)?.upstream;
    if (!well) throw new Error(`No server for ${service}`);
    hostile.on('connection', (socket) => {
      const upstream = connect(well);
      upstream.on('error', () => socket.destroy());
      socket.on('error', () => upstream.destroy());
      socket.pipe(upstream).pipe(socket);
    });
    await vi.waitFor(() => expect(proxy.connections).toBe(0), 10_000);
    await new Promise<void>((resolve) => hostile.listen(proxy.upstream.port, '127.0.0.1', resolve));
    expect(await ASKS[service]?.(proxy.port, answer)).toContain(answer);
    proxy.close();
  });
});
