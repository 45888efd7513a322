import { upperCase } from './upper-case.ts';

const CR = 13;
const LF = 10;
const STAR = 42;
const DOLLAR = 36;
const MINUS = 45;
const ZERO = 48;
const EMPTY = Buffer.alloc(0);
/** Longest head of a command that is waited for and kept meanwhile; what is longer is not RESP. */
export const MAX_HEAD_BYTES = 64 * 1024;
/** Redis takes no more arguments than this. */
const MAX_ARGUMENTS = 1024 * 1024;

/** Longest line that says a length. */
const MAX_LENGTH_BYTES = 33;

/** Channels that are read of one command, and the longest name that is waited for. */
const MAX_CHANNELS = 16;
const MAX_CHANNEL_BYTES = 1024;
/** Commands whose arguments are channels, and how many of them. */
const CHANNEL_WORDS = new Map([
  ['PUBLISH', 1],
  ['SPUBLISH', 1],
  ['SUBSCRIBE', MAX_CHANNELS],
  ['PSUBSCRIBE', MAX_CHANNELS],
  ['SSUBSCRIBE', MAX_CHANNELS],
]);

/** A command as far as it is known before its arguments have come. */
export interface CommandHead {
  /** Upper case. */
  readonly name: string;
  /** First argument, upper case, of commands that have subcommands (CLIENT); otherwise empty. */
  readonly sub: string;
  /** The first channels that a pub/sub command names; of others undefined. */
  readonly channels?: readonly string[] | undefined;
  /** Number of words, the name included. */
  readonly words: number;
}

export interface CommandSink {
  /** A command begins. "drop" takes it out of the stream. */
  command(head: CommandHead): 'pass' | 'drop';
  /** Bytes to go on, whole commands or pieces, in order. */
  pass(bytes: Buffer): void;
  /** The command that began last is complete, and its bytes have been passed. */
  ended(dropped: boolean): void;
}

/**
 * Cuts a client's stream into Redis commands without keeping their arguments.
 *
 * `feed` gives undefined, or the bytes that were not passed when the stream stops being RESP.
 */
export class CommandFramer {
  readonly #sink: CommandSink;
  #carry: Buffer = EMPTY;
  /** Arguments of the current command that have not begun. */
  #wordsLeft = 0;
  /** Bytes of the current argument, with its line end, still to come. */
  #bytesLeft = 0;
  #inCommand = false;
  #dropping = false;

  constructor(sink: CommandSink) {
    this.#sink = sink;
  }

  /** Nothing of a command has come that is not complete. */
  get atBoundary(): boolean {
    return !this.#inCommand && this.#carry.length === 0;
  }

  /** What has come and not been passed; undefined inside a command that is being dropped. */
  get rest(): Buffer | undefined {
    return this.#dropping ? undefined : this.#carry;
  }

  feed(incoming: Buffer): Buffer | undefined {
    const chunk = this.#carry.length > 0 ? Buffer.concat([this.#carry, incoming]) : incoming;
    this.#carry = EMPTY;
    let at = 0;
    let from = 0;
    const flush = () => {
      if (!this.#dropping && at > from) {
        this.#sink.pass(from === 0 && at === chunk.length ? chunk : chunk.subarray(from, at));
      }
      from = at;
    };
    while (at < chunk.length) {
      if (this.#bytesLeft > 0) {
        const step = Math.min(this.#bytesLeft, chunk.length - at);
        at += step;
        this.#bytesLeft -= step;
      } else if (this.#wordsLeft > 0) {
        const line = readLength(chunk, at, DOLLAR);
        if (line === 'more') break;
        if (line === 'bad' || line.value < 0) return this.#give(chunk, from, at);
        this.#wordsLeft--;
        this.#bytesLeft = line.value + 2;
        at = line.end;
        continue;
      } else {
        const begun = readHead(chunk, at);
        if (begun === 'more') break;
        if (begun === 'bad') return this.#give(chunk, from, at);
        if (begun.head) {
          flush();
          this.#dropping = this.#sink.command(begun.head) === 'drop';
          this.#inCommand = true;
        }
        at = begun.end;
        this.#wordsLeft = begun.wordsLeft;
      }
      if (this.#inCommand && this.#bytesLeft === 0 && this.#wordsLeft === 0) {
        flush();
        const dropped = this.#dropping;
        this.#inCommand = false;
        this.#dropping = false;
        this.#sink.ended(dropped);
      }
    }
    flush();
    if (at < chunk.length) {
      this.#carry = chunk.subarray(at);
      if (this.#carry.length > MAX_HEAD_BYTES) return this.#give(this.#carry, 0, 0);
    }
    return undefined;
  }

  #give(chunk: Buffer, from: number, at: number): Buffer {
    this.#carry = EMPTY;
    return this.#dropping ? chunk.subarray(at) : chunk.subarray(from);
  }
}

interface Begun {
  head: CommandHead | undefined;
  wordsLeft: number;
  end: number;
}

/** Reads `*words $length name` (and the subcommand where it matters), or an inline command. */
function readHead(chunk: Buffer, at: number): Begun | 'more' | 'bad' {
  if (chunk[at] !== STAR) return readInline(chunk, at);
  const words = readLength(chunk, at, STAR);
  if (typeof words === 'string') return words;
  if (words.value > MAX_ARGUMENTS) return 'bad';
  if (words.value < 1) return { head: undefined, wordsLeft: 0, end: words.end };
  const name = readWord(chunk, words.end);
  if (typeof name === 'string') return name;
  const channelWords = CHANNEL_WORDS.get(name.text);
  if (channelWords !== undefined) {
    const read = readChannels(chunk, name.end, Math.min(channelWords, words.value - 1));
    if (typeof read === 'string') return read;
    return {
      head: { name: name.text, sub: '', channels: read.channels, words: words.value },
      wordsLeft: words.value - 1 - read.channels.length,
      end: read.end,
    };
  }
  if (name.text !== 'CLIENT' || words.value < 2) {
    return {
      head: { name: name.text, sub: '', words: words.value },
      wordsLeft: words.value - 1,
      end: name.end,
    };
  }
  const sub = readWord(chunk, name.end);
  if (typeof sub === 'string') return sub;
  return {
    head: { name: name.text, sub: sub.text, words: words.value },
    wordsLeft: words.value - 2,
    end: sub.end,
  };
}

function readInline(chunk: Buffer, at: number): Begun | 'more' | 'bad' {
  const first = chunk[at] ?? 0;
  if ((first < 32 && first !== CR && first !== LF) || first > 126) return 'bad';
  const lineEnd = chunk.indexOf(LF, at);
  if (lineEnd < 0) return 'more';
  const words = chunk.toString('latin1', at, lineEnd).trim().split(/\s+/);
  const name = (words[0] ?? '').toUpperCase();
  if (name === '') return { head: undefined, wordsLeft: 0, end: lineEnd + 1 };
  const sub = name === 'CLIENT' ? (words[1] ?? '').toUpperCase() : '';
  const channelWords = CHANNEL_WORDS.get(name);
  const channels = channelWords === undefined ? undefined : words.slice(1, 1 + channelWords);
  return { head: { name, sub, channels, words: words.length }, wordsLeft: 0, end: lineEnd + 1 };
}

/** Up to `count` channel names; it stops at one that is too long to wait for. */
function readChannels(
  chunk: Buffer,
  at: number,
  count: number,
): { channels: string[]; end: number } | 'more' | 'bad' {
  const channels: string[] = [];
  let end = at;
  while (channels.length < count) {
    const length = readLength(chunk, end, DOLLAR);
    if (typeof length === 'string') return length;
    if (length.value < 0) return 'bad';
    if (length.value > MAX_CHANNEL_BYTES) break;
    const next = length.end + length.value + 2;
    if (next > chunk.length) return 'more';
    channels.push(chunk.toString('utf8', length.end, next - 2));
    end = next;
  }
  return { channels, end };
}

/** A short bulk string, upper case. */
function readWord(chunk: Buffer, at: number): { text: string; end: number } | 'more' | 'bad' {
  const length = readLength(chunk, at, DOLLAR);
  if (typeof length === 'string') return length;
  if (length.value < 0 || length.value > MAX_HEAD_BYTES - 64) return 'bad';
  const end = length.end + length.value + 2;
  if (end > chunk.length) return 'more';
  return { text: upperCase(chunk, length.end, end - 2), end };
}

/** `<type>digits CR LF` at `at`. */
function readLength(
  chunk: Buffer,
  at: number,
  type: number,
): { value: number; end: number } | 'more' | 'bad' {
  if (at >= chunk.length) return 'more';
  if (chunk[at] !== type) return 'bad';
  const limit = Math.min(chunk.length, at + MAX_LENGTH_BYTES);
  let lineEnd = at + 1;
  while (lineEnd < limit && chunk[lineEnd] !== LF) lineEnd++;
  if (lineEnd >= limit) return chunk.length - at >= MAX_LENGTH_BYTES ? 'bad' : 'more';
  if (chunk[lineEnd - 1] !== CR) return 'bad';
  const value = readInteger(chunk, at + 1, lineEnd - 1);
  return Number.isSafeInteger(value) && value >= -1 ? { value, end: lineEnd + 1 } : 'bad';
}

/** Decimal digits, perhaps behind a minus sign; NaN when there is anything else. */
function readInteger(chunk: Buffer, from: number, end: number): number {
  const negative = chunk[from] === MINUS;
  let value = 0;
  let at = negative ? from + 1 : from;
  if (at >= end) return Number.NaN;
  for (; at < end; at++) {
    const digit = (chunk[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}
