import { Readable } from 'node:stream';
import { Client } from 'basic-ftp';

export interface FtpUploaderOptions {
  host: string;
  port: number;
  user: string;
  password: string;
  /** Silence on a connection after which it is given up, ms. */
  timeoutMs: number;
}

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

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  async #connected(): Promise<Client> {
    if (this.#client && !this.#client.closed) return this.#client;
    const { host, port, user, password, timeoutMs } = this.#options;
    const client = new Client(timeoutMs);
    this.#client = client; // so that close() reaches it while it connects
    await client.access({ host, port, user, password });
    return client;
  }
}
