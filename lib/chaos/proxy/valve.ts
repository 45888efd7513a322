import type { Socket } from 'node:net';

export type ValveReason = 'peer' | 'line' | 'session' | 'rate' | 'unread' | 'held';

/** Pauses a socket while there is any reason to, so that reasons do not undo each other. */
export class Valve {
  readonly #socket: Socket;
  readonly #reasons = new Set<ValveReason>();

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  shut(reason: ValveReason): void {
    this.#reasons.add(reason);
    this.#socket.pause();
  }

  open(reason: ValveReason): void {
    if (this.#reasons.delete(reason) && this.#reasons.size === 0) this.#socket.resume();
  }

  isShutBy(reason: ValveReason): boolean {
    return this.#reasons.has(reason);
  }

  /** Drops every reason. */
  release(): void {
    this.#reasons.clear();
    this.#socket.resume();
  }
}
