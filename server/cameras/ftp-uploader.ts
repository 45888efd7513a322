import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { Client } from 'basic-ftp';
import type { DependencyAddress } from '#server/dependency-addresses.ts';
import type { BrokenTry } from './upload-faults.ts';

export interface FtpUploaderOptions extends DependencyAddress {
  user: string;
  password: string;
  /** Silence on a connection after which it is given up, ms. */
  timeoutMs: number;
}

/** Given to the first half to leave before the connection is reset, ms. */
const SENT_MS = 50;

const UPLOAD_ID = /\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/;

/**
 * One camera's connection to the intake; made when it is needed, thrown away after any failure.
 *
 *     STOR name.part ─► SIZE name.part = bytes sent? ─► RNFR, RNTO name ─► 250 Accepted as <ULID>
 */
export class FtpUploader {
  readonly #options: FtpUploaderOptions;
  #client: Client | undefined;

  constructor(options: FtpUploaderOptions) {
    this.#options = options;
  }

  /**
   * Resolves only after the final positive answer; gives the id in it, null when it names none.
   * @throws {Error} otherwise; the upload may then have been accepted all the same
   */
  async upload(name: string, bytes: Buffer): Promise<string | null> {
    try {
      const client = await this.#connected();
      const part = `${name}.part`;
      await client.uploadFrom(Readable.from([bytes]), part);
      const size = await client.size(part);
      if (size !== bytes.length) throw new Error(`${size} of ${bytes.length} bytes arrived`);
      const { message } = await client.rename(part, name);
      return UPLOAD_ID.exec(message)?.[0] ?? null;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Sends the first half only, and ends it as told; the connection is thrown away.
   * @throws {Error} always, as the real thing would
   */
  async breakOff(name: string, bytes: Buffer, { how, stallMs, ended }: BrokenTry): Promise<never> {
    const half = bytes.subarray(0, Math.floor(bytes.length / 2));
    try {
      const client = await this.#connected();
      const source = async function* () {
        yield half;
        if (how === 'end') return;
        const { dataSocket } = client.ftp;
        await setTimeout(how === 'stall' ? stallMs : SENT_MS, undefined, {
          signal: dataSocket ? AbortSignal.any([ended, closedSignal(dataSocket)]) : ended,
        }).catch(() => {}); // the fault or the connection has ended
        dataSocket?.resetAndDestroy();
      };
      await client.uploadFrom(Readable.from(source()), `${name}.part`);
      const size = await client.size(`${name}.part`);
      throw new Error(`${size} of ${bytes.length} bytes arrived`);
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  async #connected(): Promise<Client> {
    if (this.#client && !this.#client.closed) return this.#client;
    const { port, user, password, timeoutMs } = this.#options;
    const client = new Client(timeoutMs);
    this.#client = client; // so that close() reaches it while it connects
    const host = await addressOf(this.#options);
    await client.access({ host, port, user, password });
    return client;
  }
}

/** basic-ftp passes no `lookup` to its sockets, so the name is resolved before each connection. */
function addressOf({ host, lookup }: DependencyAddress): Promise<string> {
  if (!lookup) return Promise.resolve(host);
  return new Promise((resolve, reject) => {
    lookup(host, {}, (error, address) => {
      if (error) reject(error);
      else if (typeof address === 'string') resolve(address);
      else reject(new TypeError('Expected one address'));
    });
  });
}

function closedSignal(socket: Socket): AbortSignal {
  const closed = new AbortController();
  socket.once('close', () => closed.abort());
  return closed.signal;
}
