import type { FaultSpec } from '../faults/fault.ts';
import type { ServiceFaults } from './service-faults.ts';

/** What a protocol session may do with its pair of connections. */
export interface LinkPort {
  readonly faults: ServiceFaults;
  /** The connection is to be closed at the next message boundary: begin nothing new. */
  readonly closing: boolean;
  /** Address of the proxy as this client sees it. */
  readonly localAddress: string;
  readonly upstreamHost: string;
  /** Dials the server; harmless when that has been done. */
  connect(): void;
  /** Sends to the server after `delayMs`, in order. */
  toServer(bytes: Buffer, delayMs: number): void;
  /** Does something in the order of what is sent to the server. */
  inOrder(delayMs: number, run: () => void): void;
  toClient(bytes: Buffer): void;
  /** Holds this connection from now on; it is closed after the fault's delay and reset when the fault ends. */
  hold(fault: FaultSpec): void;
  reset(): void;
  /** Sends FIN to both sides after what is on its way. */
  finish(): void;
  /** Gives up understanding the protocol: bytes pass, faults act on TCP. The rests are what was not passed on yet. */
  degrade(reason: string, clientRest: Buffer, serverRest: Buffer): void;
  /** Stops or goes on reading from one side. */
  pauseClient(paused: boolean): void;
  pauseServer(paused: boolean): void;
  /** Tells that a message has ended, so that a closing connection can be closed. */
  settled(): void;
  countRequest(): void;
  /** Bytes that went by beside the two connections. */
  countBytes(count: number): void;
  countHit(): void;
}

/** One protocol on one connection. It sees bytes as they arrive, in order, and decides what becomes of them. */
export interface Session {
  /** A total time-out may act on bare bytes, before the protocol is looked at. */
  readonly holdsBytes: boolean;
  fromClient(chunk: Buffer): void;
  fromServer(chunk: Buffer): void;
  /** Nobody is in the middle of a message and no answer is owed, so FIN cuts nothing. */
  atBoundary(): boolean;
  /** The client has sent its last byte; `pass` tells the server, now or after what waits. @default at once */
  clientEnded?(pass: () => void): void;
  /** The server has sent its last byte. */
  serverEnded?(): void;
  /** The server may hang up now without the client being told: it is dialled again for what waits to be sent. */
  outlivesServer?(): boolean;
  /** Faults have changed. */
  faultsChanged?(): void;
  /** A delay has ended or got another strength: the rest of a call that it delayed follows what was just passed on. */
  delaysChanged?(): void;
  /** The connection is gone. */
  closed?(): void;
}

export type SessionFactory = (link: LinkPort) => Session;
