const EMPTY = Buffer.alloc(0);
const HEADER_BYTES = 5;
/** PostgreSQL itself takes no longer message. */
const MAX_MESSAGE_BYTES = 0x3fff_ffff;

export interface MessageSink {
  /** How much of a message of this type and length (type byte included) must be seen before it is judged. */
  headBytes(type: string, messageBytes: number): number;
  /**
   * A message begins; `head` is its beginning. "drop" takes it out. Everything before it has not been passed yet:
   * `flush` does that, for sinks that put something in front of the message.
   */
  message(type: string, head: Buffer, flush: () => void): 'pass' | 'drop';
  pass(bytes: Buffer): void;
  /** The message that began last is complete; what belongs to it may not have been passed yet. */
  ended(): void;
}

/** Cuts a stream of typed PostgreSQL messages, keeping no more than the head of one. */
export class MessageFramer {
  readonly #sink: MessageSink;
  #carry: Buffer = EMPTY;
  #left = 0;
  #dropping = false;

  constructor(sink: MessageSink) {
    this.#sink = sink;
  }

  get atBoundary(): boolean {
    return this.#left === 0 && this.#carry.length === 0;
  }

  /** What has come and not been passed; undefined inside a message that is being dropped. */
  get rest(): Buffer | undefined {
    return this.#dropping ? undefined : this.#carry;
  }

  /** @returns undefined, or the bytes that were not passed when the stream stops being PostgreSQL's */
  feed(incoming: Buffer): Buffer | undefined {
    const chunk = this.#carry.length > 0 ? Buffer.concat([this.#carry, incoming]) : incoming;
    this.#carry = EMPTY;
    let at = 0;
    let from = 0;
    const flush = () => {
      if (at > from) this.#sink.pass(from === 0 && at === chunk.length ? chunk : chunk.subarray(from, at));
      from = at;
    };
    for (;;) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, chunk.length - at);
        at += step;
        this.#left -= step;
        if (this.#dropping) from = at;
        if (this.#left > 0) break;
        this.#dropping = false;
        this.#sink.ended();
      }
      if (chunk.length - at < HEADER_BYTES) break;
      const messageBytes = chunk.readUInt32BE(at + 1) + 1;
      if (messageBytes < HEADER_BYTES || messageBytes > MAX_MESSAGE_BYTES) {
        return chunk.subarray(from);
      }
      const type = String.fromCharCode(chunk[at] as number);
      const headBytes = Math.min(messageBytes, this.#sink.headBytes(type, messageBytes));
      if (chunk.length - at < headBytes) break;
      if (this.#sink.message(type, chunk.subarray(at, at + headBytes), flush) === 'drop') {
        flush();
        this.#dropping = true;
      }
      this.#left = messageBytes;
    }
    flush();
    if (at < chunk.length) this.#carry = chunk.subarray(at);
    return undefined;
  }
}
