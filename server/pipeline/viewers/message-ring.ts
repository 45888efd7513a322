import type { ViewerMessage } from '#lib/protocol/viewers.ts';

/**
 * The last messages of one channel, numbered.
 *
 * Numbers start at the wall clock, so that those of a restarted process are above those of the one before it.
 */
export class MessageRing<T> {
  readonly #size: number;
  readonly #messages: ViewerMessage<T>[] = [];
  /** Newest number that is no longer (or never was) in the ring. */
  #floor: number;
  #seq: number;

  constructor(size: number, startedAt: number) {
    if (!(Number.isInteger(size) && size >= 1))
      throw new RangeError(`Expected size to be from 1, got ${size}`);
    this.#size = size;
    this.#floor = startedAt * 1000;
    this.#seq = this.#floor;
  }

  /** Number of the newest message. */
  get seq(): number {
    return this.#seq;
  }

  add(at: number, data: T): ViewerMessage<T> {
    const message = { seq: ++this.#seq, at, data };
    this.#messages.push(message);
    if (this.#messages.length > this.#size) this.#floor = this.#messages.shift()?.seq ?? this.#floor;
    return message;
  }

  /** The messages after `lastSeq`; `missed` when some of them are gone, or the number is not one of ours. */
  after(lastSeq: number): { messages: ViewerMessage<T>[]; missed: boolean } {
    const known = lastSeq >= this.#floor && lastSeq <= this.#seq;
    const messages = known ? this.#messages.filter((message) => message.seq > lastSeq) : [...this.#messages];
    return { messages, missed: !known };
  }
}
