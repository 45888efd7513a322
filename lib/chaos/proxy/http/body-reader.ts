import type { BodyLength } from './http-head.ts';

const LF = 10;

type ChunkPhase = 'size' | 'data' | 'trailer';

/** Finds the end of one message body in a stream. */
export class BodyReader {
  readonly #kind: BodyLength['kind'];
  readonly #onData: ((bytes: Buffer) => void) | undefined;
  #left: number;
  #phase: ChunkPhase = 'size';
  #line = '';
  #done: boolean;

  /** `onData` gets the body without its chunk framing, when somebody wants it. */
  constructor(length: BodyLength, onData?: (bytes: Buffer) => void) {
    this.#kind = length.kind;
    this.#onData = onData;
    this.#left = length.kind === 'length' ? length.bytes : 0;
    this.#done = length.kind === 'none' || (length.kind === 'length' && length.bytes === 0);
  }

  get done(): boolean {
    return this.#done;
  }

  /** Reads from `at`; gives where it stopped: the end of the chunk or of the body. */
  read(chunk: Buffer, at: number): number {
    if (this.#done) return at;
    if (this.#kind === 'until_close') {
      this.#onData?.(chunk.subarray(at));
      return chunk.length;
    }
    if (this.#kind === 'length') {
      const end = this.#take(chunk, at);
      this.#done = this.#left === 0;
      return end;
    }
    return this.#readChunked(chunk, at);
  }

  #take(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#left -= end - at;
    if (end > at) this.#onData?.(chunk.subarray(at, end));
    return end;
  }

  #readChunked(chunk: Buffer, start: number): number {
    let at = start;
    while (at < chunk.length && !this.#done) {
      if (this.#phase === 'data' && this.#left > 0) {
        at = this.#take(chunk, at);
        continue;
      }
      const lineEnd = chunk.indexOf(LF, at);
      const stop = lineEnd < 0 ? chunk.length : lineEnd;
      if (this.#line.length < 64) this.#line += chunk.toString('latin1', at, Math.min(stop, at + 64));
      if (lineEnd < 0) return chunk.length;
      at = lineEnd + 1;
      const line = this.#line.trimEnd();
      this.#line = '';
      this.#endOfLine(line);
    }
    return at;
  }

  #endOfLine(line: string): void {
    if (this.#phase === 'data') {
      this.#phase = 'size'; // the line end after a chunk's data
    } else if (this.#phase === 'size') {
      const size = Number.parseInt(line, 16);
      if (size > 0) {
        this.#left = size;
        this.#phase = 'data';
      } else {
        this.#phase = 'trailer';
      }
    } else if (line === '') {
      this.#done = true;
    }
  }
}
