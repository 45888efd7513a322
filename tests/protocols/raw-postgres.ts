import { createConnection, type Socket } from 'node:net';
import { ConnectionRecord } from '#tests/support/byte-tap.ts';

const SILENCE_LIMIT_MS = 20_000;

/** A connection on which bytes are sent as they are, and which records what it sent and got. */
export class RawPostgres {
  readonly record = new ConnectionRecord();
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #look: (() => void) | undefined;
  #closed = false;

  constructor(port: number, host = '127.0.0.1') {
    this.#socket = createConnection({ host, port, noDelay: true });
    this.#socket.on('error', () => {});
    this.#socket.on('data', (chunk) => {
      this.record.down.add(chunk);
      this.#received.push(chunk);
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

  /**
   * Sends `bytes` cut at `cuts`, each piece in a turn of its own, and gives what came until `isWhole` or the end.
   * @throws {Error} after 20 s
   */
  async exchange(
    bytes: Buffer,
    cuts: readonly number[],
    isWhole: (tail: Buffer) => boolean,
  ): Promise<Buffer> {
    this.#received = [];
    const whole = this.#until(isWhole);
    let from = 0;
    for (const to of [...cuts, bytes.length]) {
      if (to <= from) continue;
      if (from > 0) await new Promise(setImmediate);
      if (this.#closed) break;
      const piece = bytes.subarray(from, to);
      this.record.up.add(piece);
      this.#socket.write(piece);
      from = to;
    }
    await whole;
    return Buffer.concat(this.#received);
  }

  end(): void {
    this.#socket.destroy();
  }

  /** Resolves when the connection is gone, with what came after the last exchange. */
  async gone(): Promise<void> {
    await this.#until(() => false);
  }

  #until(isWhole: (tail: Buffer) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.#look = undefined;
        const got = Buffer.concat(this.#received).subarray(-200).toString('latin1');
        reject(
          new Error(
            `No end of the answers after ${SILENCE_LIMIT_MS} ms; the last was ${JSON.stringify(got)}`,
          ),
        );
      }, SILENCE_LIMIT_MS);
      this.#look = () => {
        if (!this.#closed && !isWhole(this.#tail())) return;
        clearTimeout(limit);
        this.#look = undefined;
        resolve();
      };
      this.#look();
    });
  }

  /** Enough of the end to recognise it by. */
  #tail(): Buffer {
    let tail = this.#received.at(-1) ?? Buffer.alloc(0);
    for (let index = this.#received.length - 2; index >= 0 && tail.length < 100; index--) {
      tail = Buffer.concat([this.#received[index] as Buffer, tail]);
    }
    return tail;
  }
}
