import { type BodyLength, CHUNKED, factsOf, type HeadFacts, parseHead } from './http-head.ts';

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const DELETE = 127;

const codes = (text: string) => [...text].map((each) => each.charCodeAt(0));
const VERSION = codes('HTTP/1.');
const HEAD = codes('HEAD');
const CONNECT = codes('CONNECT');
const EXPECT = codes('expect');
const CONNECTION = codes('connection');
const CONTENT_LENGTH = codes('content-length');
const TRANSFER_ENCODING = codes('transfer-encoding');
const KEEP_ALIVE = codes('keep-alive');
const CLOSE = codes('close');
const CHUNKED_WORD = codes('chunked');
/** Digits of a number that is surely exact. */
const MAX_DIGITS = 15;

/**
 * Reads the head that begins at `from`; "bad" when that is no HTTP/1.x.
 *
 * A head as programs write them is read from its bytes, without a copy or a string of them: this is done for every
 * message. One that is unusual in any way goes through `parseHead`, which alone says what it means.
 */
export function scanHead(bytes: Buffer, from: number): HeadFacts | 'more' | 'bad' {
  const scanned = scanUsual(bytes, from);
  if (scanned !== 'unusual') return scanned;
  const end = bytes.indexOf('\r\n\r\n', from);
  if (end < 0) return 'more';
  const head = parseHead(bytes.toString('latin1', from, end));
  return head ? factsOf(head, end + 4) : 'bad';
}

function scanUsual(bytes: Buffer, from: number): HeadFacts | 'more' | 'unusual' {
  const { length } = bytes;
  const wordEnd = endOfWord(bytes, from);
  if (wordEnd === from) return wordEnd < length ? 'unusual' : 'more';
  let lineEnd = wordEnd;
  while (lineEnd < length && isText(bytes[lineEnd] as number)) lineEnd++;
  if (lineEnd + 1 >= length) return 'more';
  if (bytes[lineEnd] !== CR || bytes[lineEnd + 1] !== LF || bytes[wordEnd] !== SPACE) return 'unusual';

  const status = statusOf(bytes, from, wordEnd);
  const minor = (bytes[lineEnd - 1] as number) - ZERO;
  if (status < 0 && !isRequestLine(bytes, wordEnd, lineEnd)) return 'unusual';

  let framed: BodyLength | undefined;
  let chunked: boolean | undefined;
  let last: boolean | undefined;
  let expects = false;
  let at = lineEnd + 2;
  for (;;) {
    if (at + 1 >= length) return 'more';
    if (bytes[at] === CR) {
      if (bytes[at + 1] !== LF) return 'unusual';
      break;
    }
    const nameEnd = endOfWord(bytes, at);
    if (nameEnd === length) return 'more';
    if (nameEnd === at || bytes[nameEnd] !== COLON) return 'unusual';
    let valueFrom = nameEnd + 1;
    while (valueFrom < length && bytes[valueFrom] === SPACE) valueFrom++;
    let valueEnd = valueFrom;
    while (valueEnd < length && isText(bytes[valueEnd] as number)) valueEnd++;
    if (valueEnd + 1 >= length) return 'more';
    if (bytes[valueEnd] !== CR || bytes[valueEnd + 1] !== LF) return 'unusual';

    // The first header of a name counts.
    switch (nameEnd - at) {
      case EXPECT.length:
        if (is(EXPECT, bytes, at, nameEnd)) expects = true;
        break;
      case CONNECTION.length:
        if (last === undefined && is(CONNECTION, bytes, at, nameEnd)) {
          last = is(CLOSE, bytes, valueFrom, valueEnd);
          if (!last && !is(KEEP_ALIVE, bytes, valueFrom, valueEnd)) return 'unusual';
        }
        break;
      case CONTENT_LENGTH.length:
        if (framed === undefined && is(CONTENT_LENGTH, bytes, at, nameEnd)) {
          const bodyBytes = digits(bytes, valueFrom, valueEnd);
          if (bodyBytes < 0) return 'unusual';
          framed = { kind: 'length', bytes: bodyBytes };
        }
        break;
      case TRANSFER_ENCODING.length:
        if (chunked === undefined && is(TRANSFER_ENCODING, bytes, at, nameEnd)) {
          chunked = is(CHUNKED_WORD, bytes, valueFrom, valueEnd);
          if (!chunked) return 'unusual';
        }
        break;
    }
    at = valueEnd + 2;
  }
  return {
    end: at + 2,
    status: status < 0 ? Number.NaN : status,
    isHead: is(HEAD, bytes, from, wordEnd, 0),
    isConnect: is(CONNECT, bytes, from, wordEnd, 0),
    framed: chunked ? CHUNKED : framed,
    last: last === true || (status < 0 && minor === 0),
    expects,
  };
}

/** Of `HTTP/1.x 200…` with three digits, else -1. */
function statusOf(bytes: Buffer, from: number, wordEnd: number): number {
  if (wordEnd - from !== VERSION.length + 1 || !startsWith(VERSION, bytes, from)) return -1;
  const after = bytes[wordEnd + 4];
  return after === SPACE || after === CR ? digits(bytes, wordEnd + 1, wordEnd + 4) : -1;
}

/** Whether the line goes on as ` target HTTP/1.x`. */
function isRequestLine(bytes: Buffer, wordEnd: number, lineEnd: number): boolean {
  const versionFrom = lineEnd - VERSION.length - 1;
  let at = wordEnd + 1;
  while (at < lineEnd && (bytes[at] as number) > SPACE && (bytes[at] as number) < DELETE) at++;
  return at > wordEnd + 1 && at === versionFrom - 1 && startsWith(VERSION, bytes, versionFrom);
}

/** Where the printable characters from `from` on end; a colon ends them too. */
function endOfWord(bytes: Buffer, from: number): number {
  const { length } = bytes;
  let at = from;
  while (at < length) {
    const byte = bytes[at] as number;
    if (byte <= SPACE || byte >= DELETE || byte === COLON) break;
    at++;
  }
  return at;
}

function isText(byte: number): boolean {
  return (byte >= SPACE && byte !== DELETE) || byte === TAB;
}

/** Whether the bytes are this word; `caseBit` 0 wants its case too. */
function is(word: readonly number[], bytes: Buffer, from: number, end: number, caseBit = 32): boolean {
  if (end - from !== word.length) return false;
  for (let index = 0; index < word.length; index++) {
    if (((bytes[from + index] as number) | caseBit) !== word[index]) return false;
  }
  return true;
}

function startsWith(word: readonly number[], bytes: Buffer, from: number): boolean {
  return is(word, bytes, from, from + word.length, 0);
}

/** Decimal digits and nothing else; -1 otherwise. */
function digits(bytes: Buffer, from: number, end: number): number {
  if (end === from || end - from > MAX_DIGITS) return -1;
  let value = 0;
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte < ZERO || byte > NINE) return -1;
    value = value * 10 + byte - ZERO;
  }
  return value;
}
