import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** Whether this loopback port can be listened on now. */
export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Whether datagrams can be received on this loopback port now. */
export function isUdpPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

const FIRST_PORT = 20_000;
const PORTS = 10_000;
/** Each process begins at a place of its own, so that two that start at once do not choose the same port. */
let next = (process.pid * 16) % PORTS;

/**
 * A free port from 20000–29999, outside the ephemeral range: a port that a listener gave up there can be taken by a
 * client that connects to itself. In one process never the same twice, until all had their turn.
 */
export async function findFreePort(taken: ReadonlySet<number> = new Set()): Promise<number> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const port = FIRST_PORT + (next++ % PORTS);
    if (!taken.has(port) && (await isPortFree(port))) return port;
  }
  throw new Error('No free port between 20000 and 29999');
}
