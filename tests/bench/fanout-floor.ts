import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { answerCalls } from './measure-child.ts';

/** A message of the hub as one viewer got it, to be sent again: when, after the start, and how long. */
export interface FloorMessage {
  afterMs: number;
  bytes: number;
}

let server: WebSocketServer | undefined;

/** As the documentation of `ws` broadcasts: one buffer, sent to every client that is open. */
function broadcast(clients: Iterable<WebSocket>, bytes: number): void {
  const data = Buffer.from(String(Date.now()).padEnd(bytes, 'x'));
  for (const client of clients)
    if (client.readyState === WebSocket.OPEN) client.send(data, { binary: false });
}

const calls = {
  async listen(): Promise<string> {
    const opened = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    server = opened;
    await new Promise((resolve) => opened.once('listening', resolve));
    return `ws://127.0.0.1:${(opened.address() as AddressInfo).port}`;
  },
  pid: (): number => process.pid,
  /** Sends them in the same rhythm; resolves after the last. */
  async replay(messages: readonly FloorMessage[]) {
    const startedAt = performance.now();
    for (const { afterMs, bytes } of messages) {
      const waitMs = afterMs - (performance.now() - startedAt);
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      broadcast(server?.clients ?? [], bytes);
    }
  },
};
export type FloorCalls = typeof calls;

answerCalls(calls);
