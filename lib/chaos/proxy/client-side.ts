import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { Lane } from './lane.ts';
import { Valve } from './valve.ts';

/** Bytes that may wait for a client that does not read; beyond it the client is not read either, for our answers feed on what it sends. */
const MAX_UNREAD_BYTES = 1024 * 1024;

export interface ClientSideOptions {
  socket: Socket;
  clock: Clock;
  /** The server is not read while its bytes wait here. */
  serverValve: () => Valve | undefined;
  onData: (chunk: Buffer) => void;
  onEnd: () => void;
  onClosed: () => void;
  /** Much of what waited for the rate has been passed. */
  onRoom: () => void;
}

/** A client's connection, and what waits to be sent on it. */
export class ClientSide {
  readonly socket: Socket;
  readonly valve: Valve;
  readonly lane: Lane;
  readonly #serverValve: () => Valve | undefined;

  constructor({ socket, clock, serverValve, onData, onEnd, onClosed, onRoom }: ClientSideOptions) {
    this.socket = socket;
    this.valve = new Valve(socket);
    this.#serverValve = serverValve;
    socket.setNoDelay(true);
    socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', onClosed);
    socket.on('drain', () => {
      serverValve()?.open('peer');
      this.#followUnread();
    });
    this.lane = new Lane({
      clock,
      write: (bytes) => {
        if (!socket.write(bytes)) serverValve()?.shut('peer');
        this.#limitUnread();
      },
      onRoom: () => {
        serverValve()?.open('rate');
        this.#followUnread();
        onRoom();
      },
    });
  }

  send(bytes: Buffer): void {
    this.lane.push(bytes);
    if (this.lane.full) this.#serverValve()?.shut('rate');
    this.#limitUnread();
  }

  /** Bytes on their way to the client that it has not read. */
  get #unreadBytes(): number {
    return this.socket.writableLength + this.lane.sizeBytes;
  }

  #limitUnread(): void {
    if (this.#unreadBytes > MAX_UNREAD_BYTES) this.valve.shut('unread');
  }

  #followUnread(): void {
    if (this.#unreadBytes <= MAX_UNREAD_BYTES) this.valve.open('unread');
  }
}
