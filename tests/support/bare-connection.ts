import { createConnection, type Socket } from 'node:net';

/** How a connection came to its end: never made, closed by FIN, or reset. */
export type ConnectionEnd = 'refused' | 'closed' | 'reset';

/** A TCP connection to a local port without a client library, for what one would hide or mend. */
export class BareConnection {
  /** Everything received so far. */
  text = '';
  /** How it ended; undefined while it is open. */
  end: ConnectionEnd | undefined;
  /** Resolves with how it ended. */
  readonly ended: Promise<ConnectionEnd>;
  /** Resolves once it is made or has ended. */
  readonly settled: Promise<void>;
  readonly #socket: Socket;
  readonly #listeners = new Set<() => void>();

  constructor(port: number) {
    const socket = createConnection({ host: '127.0.0.1', port, noDelay: true });
    this.#socket = socket;
    socket.setEncoding('latin1');
    let failure: NodeJS.ErrnoException | undefined;
    socket.on('data', (text: string) => {
      this.text += text;
      this.#tell();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      failure = error;
    });
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        this.end = failure ? (failure.code === 'ECONNREFUSED' ? 'refused' : 'reset') : 'closed';
        this.#tell();
        resolve(this.end);
      });
    });
    this.settled = new Promise((resolve) => {
      socket.on('connect', () => resolve());
      socket.on('close', () => resolve());
    });
  }

  /** Sends `text` and gives what comes next: '' when nothing came before it ended or `withinMs` passed. */
  async ask(text: string, withinMs = 5000): Promise<string> {
    const before = this.text.length;
    const deadline = performance.now() + withinMs;
    this.#socket.write(text, 'latin1');
    while (this.text.length === before && this.end === undefined) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) break;
      await this.#news(leftMs);
    }
    return this.text.slice(before);
  }

  /** Resolves with whether `part` has come; false when it ended or `withinMs` passed before. */
  async receives(part: string, withinMs = 5000): Promise<boolean> {
    const deadline = performance.now() + withinMs;
    while (!this.text.includes(part) && this.end === undefined) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) break;
      await this.#news(leftMs);
    }
    return this.text.includes(part);
  }

  /** How it ended within `withinMs`; undefined when it is still open then. */
  async endsWithin(withinMs: number): Promise<ConnectionEnd | undefined> {
    const deadline = performance.now() + withinMs;
    while (this.end === undefined && performance.now() < deadline) {
      await this.#news(deadline - performance.now());
    }
    return this.end;
  }

  close(): void {
    this.#socket.destroy();
  }

  #news(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.#listeners.add(done);
    });
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Whether a local port refuses connections. */
export async function isRefused(port: number): Promise<boolean> {
  const connection = new BareConnection(port);
  await connection.settled;
  const refused = connection.end === 'refused';
  connection.close();
  return refused;
}

/** The text of the error by which `work` fails; '' when it does not. */
export const failureOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => '',
    (error: Error) => error.message,
  );

/**
 * Whether `work` takes at least so long every time of `tries`, so that it is not the machine; ends at the first time
 * that it does not.
 */
export async function takesAtLeast(ms: number, work: () => Promise<unknown>, tries = 5): Promise<boolean> {
  for (let n = 0; n < tries; n++) {
    const startedMs = performance.now();
    await work();
    if (performance.now() - startedMs < ms) return false;
  }
  return true;
}
