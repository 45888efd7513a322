import { createConnection, type Socket } from 'node:net';

const SILENCE_LIMIT_MS = 20_000;

/** A control connection on which bytes are sent as they are; it keeps all that it sent and got. */
export class RawFtp {
  readonly sent: Buffer[] = [];
  readonly got: Buffer[] = [];
  readonly host: string;
  readonly #socket: Socket;
  #text = '';
  #closed = false;
  #look: (() => void) | undefined;

  constructor(port: number, host = '127.0.0.1') {
    this.host = host;
    this.#socket = createConnection({ host, port, noDelay: true });
    this.#socket.on('error', () => {});
    this.#socket.on('data', (chunk) => {
      this.got.push(chunk);
      this.#text += chunk.toString('latin1');
      this.#look?.();
    });
    this.#socket.on('close', () => {
      this.#closed = true;
      this.#look?.();
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends `bytes` cut at `cuts`, each piece in a turn of its own. */
  async send(bytes: Buffer, cuts: readonly number[] = []): Promise<void> {
    let from = 0;
    for (const to of [...cuts, bytes.length]) {
      if (to <= from) continue;
      if (from > 0) await new Promise(setImmediate);
      const piece = bytes.subarray(from, to);
      this.sent.push(piece);
      this.#socket.write(piece);
      from = to;
    }
  }

  /**
   * The next reply with all its lines; "" when the connection ended instead.
   * @throws {Error} after 20 s
   */
  async reply(timeoutMs = SILENCE_LIMIT_MS): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => {
        this.#look = undefined;
        reject(
          new Error(`No reply within ${timeoutMs} ms; began: ${JSON.stringify(this.#text.slice(0, 200))}`),
        );
      }, timeoutMs);
      this.#look = () => {
        if (!this.#closed && replyEnd(this.#text) === undefined) return;
        clearTimeout(limit);
        this.#look = undefined;
        resolve();
      };
      this.#look();
    });
    const end = replyEnd(this.#text) ?? 0;
    const reply = this.#text.slice(0, end);
    this.#text = this.#text.slice(end);
    return reply;
  }

  async command(line: string, timeoutMs?: number): Promise<string> {
    await this.send(Buffer.from(`${line}\r\n`));
    return this.reply(timeoutMs);
  }

  /** Opens the data connection that a reply to PASV or EPSV offers; undefined when it is refused. */
  async openData(reply: string): Promise<Socket | undefined> {
    const [, high, low] = /,(\d+),(\d+)\)/.exec(reply) ?? [];
    const port = high ? Number(high) * 256 + Number(low) : Number(/\|\|\|(\d+)\|/.exec(reply)?.[1]);
    if (!(port > 0)) throw new Error(`Not a passive reply: ${reply}`);
    const data = createConnection({ host: this.host, port, noDelay: true });
    return new Promise((resolve) => {
      data.once('error', () => resolve(undefined));
      data.once('connect', () => {
        data.on('error', () => {});
        resolve(data);
      });
    });
  }

  /** Resolves when the connection is gone. */
  async gone(): Promise<void> {
    while (!this.#closed) await this.reply();
  }

  end(): void {
    this.#socket.destroy();
  }
}

/** Where the first reply in `text` ends; a reply of several lines ends with a line of its code and a space. */
function replyEnd(text: string): number | undefined {
  const match = /^(\d{3})(?: .*\r\n|-[\s\S]*?\r\n\1 .*\r\n)/.exec(text);
  return match?.[0].length;
}
