import { connect, type Socket } from 'node:net';
import type { Random } from '#lib/chaos/random.ts';
import { ConnectionRecord } from './byte-tap.ts';

/** A bare TCP connection that records what it sends and hears, and says what it heard since it was asked last. */
export class RawClient {
  readonly record = new ConnectionRecord();
  /** Settles when the connection is over: undefined, or the error that ended it. */
  readonly closed: Promise<Error | undefined>;
  readonly #socket: Socket;
  #heard: string[] = [];
  #tail = '';
  #wanted: { text: string; resolve: () => void; reject: (error: Error) => void } | undefined;
  #over: Error | undefined;

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.#socket.on('data', (chunk) => {
      this.record.down.add(chunk);
      const text = chunk.toString('latin1');
      this.#heard.push(text);
      this.#tail += text;
      this.#look();
    });
    let failure: Error | undefined;
    this.#socket.on('error', (error) => {
      failure = error;
    });
    this.closed = new Promise((resolve) => {
      this.#socket.on('close', () => {
        this.#over = failure ?? new Error('The connection was closed');
        this.#wanted?.reject(this.#over);
        resolve(failure);
      });
    });
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  /** Everything heard since `take`, as Latin-1. */
  get pending(): string {
    return this.#heard.join('');
  }

  send(bytes: Buffer): void {
    this.record.up.add(bytes);
    this.#socket.write(bytes);
  }

  /** Sends bytes in random pieces: whole, in a few, or byte by byte where they are not many. */
  async sendInPieces(bytes: Buffer, random: Random): Promise<void> {
    const style = random();
    const longest = style < 0.75 ? bytes.length : style < 0.99 ? Math.ceil(bytes.length / 2) : 5;
    const limit = Math.ceil(bytes.length / longest) > 60 ? bytes.length : longest;
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + Math.floor(random() * limit));
      this.send(bytes.subarray(at, end));
      at = end;
      if (at < bytes.length) await new Promise(setImmediate);
    }
  }

  /**
   * Waits until `text` has come after the end of what was waited for before.
   * @throws {Error} when the connection is over before
   */
  heard(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wanted = { text, resolve, reject };
      this.#look();
      if (this.#wanted && this.#over) reject(this.#over);
    });
  }

  /** Waits for more to come, for the end of the connection, or at most `timeoutMs`. */
  async changed(timeoutMs: number): Promise<void> {
    if (this.#over) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#socket.once('data', resolve);
    this.#socket.once('close', resolve);
    await promise;
    clearTimeout(timer);
    this.#socket.off('data', resolve);
    this.#socket.off('close', resolve);
  }

  get isOver(): boolean {
    return this.#over !== undefined;
  }

  take(): string {
    const text = this.pending;
    this.#heard = [];
    return text;
  }

  /** Sends FIN. */
  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  #look(): void {
    const wanted = this.#wanted;
    if (!wanted) return;
    const at = this.#tail.indexOf(wanted.text);
    if (at < 0) {
      this.#searched();
      return;
    }
    this.#tail = this.#tail.slice(at + wanted.text.length);
    this.#wanted = undefined;
    wanted.resolve();
  }

  /** What cannot begin the wanted text any more is forgotten, so that a long stream is not searched again and again. */
  #searched(): void {
    const keep = this.#wanted?.text.length ?? 0;
    if (this.#tail.length > keep + 4096) this.#tail = this.#tail.slice(-keep);
  }
}
