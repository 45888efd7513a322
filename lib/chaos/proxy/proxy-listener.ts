import { createServer, type Server, type Socket } from 'node:net';
import { type Clock, sleep } from '../clock.ts';

export interface ProxyListenerOptions {
  host: string;
  /** 0 picks a free port at the first opening; it is kept from then on. */
  port: number;
  clock: Clock;
  onConnection: (client: Socket) => void;
}

const RETRY_MS = 20;

/** A port that can be closed, so that it really refuses, and opened again on the same number. */
export class ProxyListener {
  readonly #options: ProxyListenerOptions;
  #server: Server | undefined;
  #port: number;
  #wanted = false;
  #opening: Promise<void> | undefined;

  constructor(options: ProxyListenerOptions) {
    this.#options = options;
    this.#port = options.port;
  }

  get port(): number {
    return this.#port;
  }

  get listening(): boolean {
    return this.#server?.listening ?? false;
  }

  /** Refuses connections when it returns. */
  close(): void {
    this.#wanted = false;
    this.#server?.close();
    this.#server = undefined;
  }

  /**
   * Accepts connections when it resolves. While the port is taken it is tried again every 20 ms, also after the
   * promise has rejected.
   * @throws the last error when the port could not be had within `limitMs`
   */
  async open(limitMs: number): Promise<void> {
    this.#wanted = true;
    this.#opening ??= this.#openUntilDone().finally(() => {
      this.#opening = undefined;
    });
    const { clock, host } = this.#options;
    const late = new AbortController();
    const limit = sleep(clock, limitMs, late.signal).then(
      () => {
        throw new Error(`Port ${host}:${this.#port} could not be opened again within ${limitMs} ms`);
      },
      () => {},
    );
    try {
      await Promise.race([this.#opening, limit]);
    } finally {
      late.abort();
    }
  }

  async #openUntilDone(): Promise<void> {
    while (this.#wanted && !this.#server) {
      try {
        await this.#listen();
      } catch {
        await sleep(this.#options.clock, RETRY_MS);
      }
    }
  }

  #listen(): Promise<void> {
    const { host, onConnection } = this.#options;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port: this.#port, backlog: 511 }, () => {
        server.off('error', reject);
        server.on('error', () => {}); // an accept that failed; its client is gone
        const address = server.address();
        if (address && typeof address === 'object') this.#port = address.port;
        if (this.#wanted) this.#server = server;
        else server.close();
        resolve();
      });
    });
  }
}
