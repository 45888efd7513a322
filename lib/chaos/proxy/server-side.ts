import { createConnection, type Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { DelayLine } from './delay-line.ts';
import { Lane } from './lane.ts';
import { Valve } from './valve.ts';

/** Bytes that latency may keep for one connection before its client is slowed down, `ITEM_BYTES` for each piece included. */
const MAX_DELAYED_BYTES = 8 * 1024 * 1024;
/** What keeping one piece costs beside its bytes. */
const ITEM_BYTES = 256;

export interface ServerSideOptions {
  upstream: { host: string; port: number };
  clock: Clock;
  /** The client is not read while its bytes wait here. */
  clientValve: Valve;
  onData: (chunk: Buffer) => void;
  onEnd: () => void;
  /** The connection is gone; `failed` by an error. Not called for one that was let go. */
  onClosed: (failed: boolean) => void;
  /** Bytes have gone through the delay. */
  onSent: () => void;
}

/**
 * The way to the server: its connection, and what waits to be sent on it.
 *
 *     bytes ──► delay line ──► throttle ──► server
 */
export class ServerSide {
  readonly lane: Lane;
  readonly line: DelayLine;
  readonly #options: ServerSideOptions;
  #socket: Socket | undefined;
  #valve: Valve | undefined;
  #gone = false;

  constructor(options: ServerSideOptions) {
    const { clock, clientValve } = options;
    this.#options = options;
    this.line = new DelayLine(clock);
    this.lane = new Lane({
      clock,
      write: (bytes) => {
        this.connect();
        if (!(this.#socket?.write(bytes) ?? true)) clientValve.shut('peer');
      },
      onRoom: () => clientValve.open('rate'),
    });
  }

  /** Pauses the server; undefined while it has not been dialled. */
  get valve(): Valve | undefined {
    return this.#valve;
  }

  get idle(): boolean {
    return this.line.idle && this.lane.idle;
  }

  /** Dials the server, unless that has been done. */
  connect(): void {
    if (this.#socket || this.#gone) return;
    const { upstream, clientValve, onData, onEnd, onClosed } = this.#options;
    const socket = createConnection({ ...upstream, noDelay: true, allowHalfOpen: true });
    this.#socket = socket;
    this.#valve = new Valve(socket);
    let failed = false;
    socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('error', () => {
      failed = true;
    });
    socket.on('close', () => {
      if (socket === this.#socket) onClosed(failed);
    });
    socket.on('drain', () => clientValve.open('peer'));
  }

  /** Sends after `delayMs`, in order. */
  send(bytes: Buffer, delayMs: number): void {
    if (delayMs <= 0 && this.line.idle) this.#write(bytes);
    else this.#delay(delayMs, bytes.length, () => this.#write(bytes));
  }

  /** Does something in the order of what is sent. */
  inOrder(delayMs: number, run: () => void): void {
    if (delayMs <= 0 && this.line.idle) run();
    else this.#delay(delayMs, 0, run);
  }

  /** Sends FIN; false when there is no connection. */
  end(): boolean {
    this.#socket?.end();
    return this.#socket !== undefined;
  }

  /** Lets this connection go, so that the next bytes dial the server anew. */
  letGo(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#valve = undefined;
    this.#options.clientValve.open('peer');
  }

  /** Sends everything that waits at once. */
  flush(): void {
    this.line.flush();
    this.lane.flush();
  }

  /** Forgets everything that waits. */
  clear(): void {
    this.line.clear();
    this.lane.clear();
  }

  destroy(): void {
    this.#gone = true;
    this.#socket?.destroy();
  }

  #write(bytes: Buffer): void {
    this.lane.push(bytes);
    if (this.lane.full) this.#options.clientValve.shut('rate');
    this.#options.onSent();
  }

  #delay(delayMs: number, sizeBytes: number, run: () => void): void {
    const { clientValve } = this.#options;
    this.line.push(delayMs, sizeBytes + ITEM_BYTES, () => {
      run();
      if (this.line.sizeBytes <= MAX_DELAYED_BYTES) clientValve.open('line');
    });
    if (this.line.sizeBytes > MAX_DELAYED_BYTES) clientValve.shut('line');
  }
}
