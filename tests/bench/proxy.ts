import { connect, createServer, type Socket } from 'node:net';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { createProxy } from '#lib/chaos/proxy/create-proxy.ts';
import { findFreePort } from '#server/embedded/free-port.ts';
import { startTestRedis } from '#tests/support/redis.ts';
import { type BenchReport, interleave, medianOf } from './measure.ts';

const HOST = '127.0.0.1';
const PING = 'PING\r\n';

/** Requests a second: `connections` clients, each with one PING under way. */
async function requestsPerSecond(port: number, connections: number, forMs: number): Promise<number> {
  let replies = 0;
  let running = true;
  const sockets = await Promise.all(
    Array.from({ length: connections }, () => {
      const socket = connect({ host: HOST, port, noDelay: true });
      return new Promise<Socket>((resolve, reject) => {
        socket.once('connect', () => resolve(socket));
        socket.once('error', reject);
      });
    }),
  );
  const startedAt = performance.now();
  for (const socket of sockets) {
    socket.on('data', () => {
      replies++;
      if (running) socket.write(PING);
    });
    socket.write(PING);
  }
  await new Promise((resolve) => setTimeout(resolve, forMs));
  running = false;
  const seconds = (performance.now() - startedAt) / 1000;
  for (const socket of sockets) socket.destroy();
  return replies / seconds;
}

/** The least that a proxy in Node can do: two sockets, bytes passed on. */
async function startPlainProxy(upstream: number): Promise<{ port: number; close(): void }> {
  const server = createServer({ noDelay: true }, (client) => {
    const peer = connect({ host: HOST, port: upstream, noDelay: true });
    client.pipe(peer).pipe(client);
    client.on('error', () => peer.destroy());
    peer.on('error', () => client.destroy());
    client.on('close', () => peer.destroy());
  });
  const port = await findFreePort();
  await new Promise<void>((resolve) => server.listen(port, HOST, resolve));
  return { port, close: () => server.close() };
}

/** Requests a second through an idle proxy that understands Redis, beside a direct connection and a bare relay. */
export async function benchProxy(smoke: boolean): Promise<BenchReport> {
  const forMs = smoke ? 100 : 2000;
  const connections = smoke ? 2 : 50;
  const redis = await startTestRedis();
  const injector = new FaultInjector();
  const aware = createProxy({
    service: 'redis',
    listen: { host: HOST, port: await findFreePort() },
    upstream: { host: redis.host, port: redis.port },
    injector,
  });
  await aware.start();
  const plain = await startPlainProxy(redis.port);
  try {
    const measurements = await interleave('requests/s', smoke ? 1 : 7, {
      direct: () => requestsPerSecond(redis.port, connections, forMs),
      'bare relay': () => requestsPerSecond(plain.port, connections, forMs),
      'our proxy, idle': () => requestsPerSecond(aware.port, connections, forMs),
    });
    const value = medianOf(measurements, 'our proxy, idle') / medianOf(measurements, 'bare relay');
    return {
      part: 'proxy',
      what: `PING over ${connections} connections, one under way each; client, proxy in one process, Redis beside it`,
      measurements,
      ratios: [{ name: 'our proxy / bare relay', value, target: '≥ 0.85', met: value >= 0.85 }],
    };
  } finally {
    plain.close();
    await aware.close();
    await injector.close();
    await redis.close();
  }
}
