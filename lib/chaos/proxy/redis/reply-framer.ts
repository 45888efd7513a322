const LF = 10;
const EMPTY = Buffer.alloc(0);
/** First bytes of an aggregate's first element that are remembered: enough for "punsubscribe". */
const MAX_WORD_BYTES = 16;
/** First bytes of a line that are kept while the rest of it is waited for: enough for a type and a length. */
const MAX_LINE_BYTES = 32;
/** Aggregates inside each other that are followed; what is deeper is not RESP. */
export const MAX_DEPTH = 4096;

const SIMPLE = new Set([...'+-:_#,('].map((type) => type.charCodeAt(0)));
const BULK = new Set([...'$=!'].map((type) => type.charCodeAt(0)));
const AGGREGATE = new Set([...'*~>'].map((type) => type.charCodeAt(0)));
const INTEGER = ':'.charCodeAt(0);
const MAP = '%'.charCodeAt(0);
const ATTRIBUTE = '|'.charCodeAt(0);
const PLUS = 43;
const MINUS = 45;
const ZERO = 48;
/** Digits of a number that are read. */
const MAX_DIGITS = 23;
/** Bytes that are looked through for a line's end one by one: beyond it a search is faster. */
const NEAR_BYTES = 64;

export interface ReplySink {
  /** A top-level reply of this RESP type character begins at `offset` of the chunk fed last (0 or more). */
  begins(type: string, offset: number): void;
  /**
   * It ends before `offset`. `firstWord` is the first element of an array or push when that is a bulk string;
   * `number` is the last integer in it.
   */
  ends(type: string, offset: number, firstWord: string, number: number): void;
}

/** Follows a server's RESP2 or RESP3 stream reply by reply, without keeping it. */
export class ReplyFramer {
  readonly #sink: ReplySink;
  /** Elements still to come, by depth. Empty between replies. */
  readonly #open: number[] = [];
  #type = '';
  #started = false;
  #isAttribute = false;
  #line: Buffer = EMPTY;
  #inLine = false;
  #bytesLeft = 0;
  /** The next bulk string is the first element of a top-level aggregate. */
  #isFirst = false;
  #wantsWord = false;
  #word = '';
  #number = 0;

  constructor(sink: ReplySink) {
    this.#sink = sink;
  }

  get atBoundary(): boolean {
    return !this.#started;
  }

  /** @returns false when the stream stops being RESP */
  feed(chunk: Buffer): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bytesLeft > 0) {
        const step = Math.min(this.#bytesLeft, chunk.length - at);
        if (this.#wantsWord && this.#word.length < MAX_WORD_BYTES) {
          const part = chunk.toString('latin1', at, at + Math.min(step, MAX_WORD_BYTES - this.#word.length));
          this.#word += part;
        }
        at += step;
        this.#bytesLeft -= step;
        if (this.#bytesLeft === 0) this.#value(at);
        continue;
      }
      if (!this.#inLine && !this.#started) {
        this.#started = true;
        this.#type = String.fromCharCode(chunk[at] ?? 0);
        this.#word = '';
        this.#sink.begins(this.#type, at);
      }
      const lineEnd = endOfLine(chunk, at);
      if (lineEnd < 0) {
        // A simple string may be long; only its type matters, so nothing but the first bytes is kept.
        if (this.#line.length < MAX_LINE_BYTES) {
          this.#line = Buffer.concat([this.#line, chunk.subarray(at, at + MAX_LINE_BYTES)]);
        }
        this.#inLine = true;
        return true;
      }
      const from = at;
      at = lineEnd + 1;
      if (this.#inLine) {
        const line = Buffer.concat([this.#line, chunk.subarray(from, Math.min(at, from + MAX_LINE_BYTES))]);
        this.#line = EMPTY;
        this.#inLine = false;
        if (!this.#header(line, 0, line.length, at)) return false;
      } else if (!this.#header(chunk, from, lineEnd, at)) {
        return false;
      }
    }
    return true;
  }

  /** Reads the line between `from` and `to`; what follows it is at `end` of the chunk. */
  #header(line: Buffer, from: number, to: number, end: number): boolean {
    const type = line[from] ?? 0;
    this.#wantsWord = false;
    if (this.#open.length === 0 && type !== ATTRIBUTE) this.#type = String.fromCharCode(type);
    if (SIMPLE.has(type)) {
      if (type === INTEGER) this.#number = readInteger(line, from + 1, to);
      this.#isFirst = false;
      this.#value(end);
      return true;
    }
    const length = readInteger(line, from + 1, to);
    if (!Number.isSafeInteger(length) || length < -1) return false;
    if (BULK.has(type)) {
      if (length < 0) {
        this.#value(end);
        return true;
      }
      this.#wantsWord = this.#open.length === 1 && this.#isFirst;
      this.#isFirst = false;
      this.#bytesLeft = length + 2;
      return true;
    }
    if (AGGREGATE.has(type) || type === MAP || type === ATTRIBUTE) {
      const elements = type === MAP || type === ATTRIBUTE ? length * 2 : length;
      if (type === ATTRIBUTE && this.#open.length === 0) this.#isAttribute = true;
      if (this.#open.length === 0) this.#isFirst = true;
      // An attribute stands in front of the value it describes and is none itself.
      const attributeInside = type === ATTRIBUTE && this.#open.length > 0;
      if (attributeInside) this.#open[this.#open.length - 1] = (this.#open.at(-1) ?? 0) + 1;
      if (elements <= 0) this.#value(end);
      else if (this.#open.length === MAX_DEPTH) return false;
      else this.#open.push(elements);
      return true;
    }
    return false;
  }

  /** A value is complete; so are the aggregates whose last one it was. */
  #value(end: number): void {
    while (this.#open.length > 0) {
      const left = (this.#open.at(-1) ?? 1) - 1;
      if (left > 0) {
        this.#open[this.#open.length - 1] = left;
        return;
      }
      this.#open.pop();
    }
    this.#wantsWord = false;
    if (this.#isAttribute) {
      this.#isAttribute = false; // the reply itself follows
      return;
    }
    this.#started = false;
    const word = this.#word === '' ? '' : this.#word.replace(/\r?\n?$/, '');
    this.#sink.ends(this.#type, end, word, this.#number);
  }
}

/** Offset of the next line feed, -1 when there is none. Most lines are short. */
function endOfLine(chunk: Buffer, from: number): number {
  const near = Math.min(chunk.length, from + NEAR_BYTES);
  for (let at = from; at < near; at++) if (chunk[at] === LF) return at;
  return near < chunk.length ? chunk.indexOf(LF, near) : -1;
}

/** The decimal digits from `from` on, perhaps behind a sign; NaN when there are none. */
function readInteger(bytes: Buffer, from: number, to: number): number {
  const sign = bytes[from];
  const first = sign === MINUS || sign === PLUS ? from + 1 : from;
  const limit = Math.min(to, from + MAX_DIGITS);
  let value = 0;
  let at = first;
  for (; at < limit; at++) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (at === first) return Number.NaN;
  return sign === MINUS ? -value : value;
}
