import { createHash } from 'node:crypto';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';

/** The bytes of one direction, as their count and their SHA-256. */
export class ByteRecord {
  #bytes = 0;
  readonly #hash = createHash('sha256');

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    this.#hash.update(chunk);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Count and hash of what has been added up to now. */
  toString(): string {
    return `${this.#bytes} ${this.#hash.copy().digest('hex')}`;
  }
}

/** One connection in both directions: `up` towards the server, `down` towards the client. */
export class ConnectionRecord {
  readonly up = new ByteRecord();
  readonly down = new ByteRecord();

  toString(): string {
    return `up ${this.up} down ${this.down}`;
  }
}

export interface ByteTap {
  readonly host: string;
  readonly port: number;
  /** A record for each connection so far, in the order in which they came. */
  readonly records: readonly ConnectionRecord[];
  close(): Promise<void>;
}

/**
 * A relay in front of a server that records what goes through it, connection by connection. One on each side of a
 * proxy shows what the proxy did to the bytes:
 *
 *     client ──► tap ──► proxy ──► tap ──► server
 */
export async function startByteTap(upstream: { host: string; port: number }): Promise<ByteTap> {
  const records: ConnectionRecord[] = [];
  const sockets = new Set<Socket>();
  const relay = (from: Socket, to: Socket, record: ByteRecord) => {
    sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (chunk) => {
      record.add(chunk);
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => from.resume());
    from.on('end', () => to.end());
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => {
      sockets.delete(from);
      if (!from.readableEnded) to.destroy();
    });
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const record = new ConnectionRecord();
    records.push(record);
    const behind = createConnection({ host: upstream.host, port: upstream.port, allowHalfOpen: true });
    relay(client, behind, record.up);
    relay(behind, client, record.down);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    records,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * The records of both sides of a proxy in an order of their own, to be compared as a whole: connections need not
 * have come in the same order. Those without a byte are left out: a proxy may dial late or never for them.
 */
export function sortedRecords(records: readonly ConnectionRecord[]): string[] {
  return records
    .filter(({ up, down }) => up.bytes + down.bytes > 0)
    .map(String)
    .sort();
}
