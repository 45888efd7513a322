import { createHash } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { until } from './until.ts';

/** Blocks that differ, so that a lost, doubled or shifted one is noticed. */
function* blocks(sizeBytes: number): Generator<Buffer> {
  for (let at = 0, n = 0; at < sizeBytes; n++) {
    const block = Buffer.alloc(Math.min(65_536, sizeBytes - at), n % 251);
    if (block.length > 8) block.writeUInt32BE(n, 0);
    yield block;
    at += block.length;
  }
}

/** Writes `sizeBytes` into a socket, as fast as it takes them. */
export class Writer {
  readonly #socket: Socket;
  readonly #hash = createHash('sha256');
  #writtenBytes = 0;

  constructor(socket: Socket, sizeBytes: number, head = '') {
    this.#socket = socket;
    const stream = blocks(sizeBytes);
    if (head) this.#write(Buffer.from(head, 'latin1'));
    const go = () => {
      for (const block of { [Symbol.iterator]: () => ({ next: () => stream.next() }) }) {
        if (!this.#write(block)) return;
      }
      socket.off('drain', go);
    };
    socket.on('drain', go);
    go();
  }

  /** Bytes that have left the process. */
  get acceptedBytes(): number {
    return this.#writtenBytes - this.#socket.writableLength;
  }

  get digest(): string {
    return this.#hash.copy().digest('hex');
  }

  #write(bytes: Buffer): boolean {
    this.#writtenBytes += bytes.length;
    this.#hash.update(bytes);
    return this.#socket.write(bytes);
  }
}

/** What comes on a socket from now on. */
export class Reader {
  bytes = 0;
  /** Kept when asked for. */
  text = '';
  readonly #hash = createHash('sha256');

  constructor(socket: Socket, keeps = false) {
    socket.on('data', (part) => {
      this.bytes += part.length;
      this.#hash.update(part);
      if (keeps) this.text += part.toString('latin1');
    });
  }

  get digest(): string {
    return this.#hash.copy().digest('hex');
  }
}

/** Waits until `look` gives the same value five times, 60 ms apart. */
export async function settled(what: string, look: () => number): Promise<number> {
  let last = Number.NaN;
  let same = 0;
  return until(
    `${what} comes to rest`,
    20_000,
    () => {
      const now = look();
      same = now === last ? same + 1 : 0;
      last = now;
      return same >= 5 ? { now } : undefined;
    },
    60,
  ).then(({ now }) => now);
}

/** A server that hands over each connection it gets. */
export class BareServer {
  readonly #server: Server;
  readonly #waiting: ((socket: Socket) => void)[] = [];
  readonly #sockets: Socket[] = [];

  constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      socket.on('error', () => {});
      const next = this.#waiting.shift();
      if (next) next(socket);
      else this.#sockets.push(socket);
    });
  }

  async listen(): Promise<{ host: string; port: number }> {
    this.#server.listen(0, '127.0.0.1');
    await new Promise((resolve) => this.#server.once('listening', resolve));
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port };
  }

  connection(): Promise<Socket> {
    const socket = this.#sockets.shift();
    return socket ? Promise.resolve(socket) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#server.close();
  }
}

export function dial(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  socket.on('error', () => {});
  return socket;
}
