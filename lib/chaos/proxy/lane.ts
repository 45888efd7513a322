import type { Clock } from '../clock.ts';
import { JoinedWrites } from './joined-writes.ts';
import { Throttle } from './throttle.ts';

export interface LaneOptions {
  clock: Clock;
  write: (bytes: Buffer) => void;
  /** Much of what waited for the rate has been passed. */
  onRoom: () => void;
}

/** One direction of a connection: bytes at a rate, and what comes of one chunk in one write. */
export class Lane extends Throttle {
  readonly #writes: JoinedWrites;

  constructor({ clock, write, onRoom }: LaneOptions) {
    const writes = new JoinedWrites(write);
    super({ clock, write: (bytes) => writes.push(bytes), onRoom });
    this.#writes = writes;
  }

  /** What is passed from now on is written at `endChunk`. */
  beginChunk(): void {
    this.#writes.begin();
  }

  endChunk(): void {
    this.#writes.flush();
  }
}
