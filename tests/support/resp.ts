/** A word of a command: text is sent as Latin-1, so that any byte can be written as one character. */
export type Word = string | number;

/** A command as an array of bulk strings. */
export function encodeCommand(words: readonly Word[]): Buffer {
  const parts = words.map((word) => {
    const text = String(word);
    return `$${text.length}\r\n${text}\r\n`;
  });
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`, 'latin1');
}

/** One value of a RESP2 or RESP3 stream. */
export interface RespValue {
  readonly type: string;
  /** Its bytes as Latin-1, those of its elements included. */
  readonly raw: string;
  /** What a line or bulk string says; empty for an aggregate or a null. */
  readonly text: string;
  readonly items: readonly RespValue[];
}

const BULK = '$=!';
const AGGREGATE = '*~>%|';

/**
 * The values of a stream that ends with a whole one.
 * @throws {RangeError} when it does not, or is no RESP
 */
export function parseReplies(stream: string): RespValue[] {
  const values: RespValue[] = [];
  let at = 0;
  while (at < stream.length) {
    const value = readValue(stream, at);
    values.push(value);
    at += value.raw.length;
  }
  return values;
}

/** The values that have come completely; the rest of the stream is left out. */
export function completeReplies(stream: string): RespValue[] {
  const values: RespValue[] = [];
  let at = 0;
  try {
    while (at < stream.length) {
      const value = readValue(stream, at);
      values.push(value);
      at += value.raw.length;
    }
  } catch (error) {
    if (!(error instanceof Truncated)) throw error;
  }
  return values;
}

class Truncated extends RangeError {}

function readValue(stream: string, from: number): RespValue {
  if (from >= stream.length) throw new Truncated('The stream ends within a value');
  const type = stream.charAt(from);
  const lineEnd = stream.indexOf('\r\n', from);
  if (lineEnd < 0) throw new Truncated(`The stream ends within a line: ${stream.slice(from, from + 80)}`);
  const line = stream.slice(from + 1, lineEnd);
  let end = lineEnd + 2;
  let text = '';
  const items: RespValue[] = [];
  if (BULK.includes(type)) {
    const length = Number(line);
    if (length >= 0) {
      text = stream.slice(end, end + length);
      end += length + 2;
    }
  } else if (AGGREGATE.includes(type)) {
    // An attribute stands in front of the value that it describes.
    const count = type === '%' ? Number(line) * 2 : type === '|' ? Number(line) * 2 + 1 : Number(line);
    for (let index = 0; index < count; index++) {
      const item = readValue(stream, end);
      items.push(item);
      end += item.raw.length;
    }
  } else if ('+-:_#,('.includes(type)) {
    text = line;
  } else {
    throw new RangeError(`No RESP: ${JSON.stringify(stream.slice(from, from + 80))}`);
  }
  if (end > stream.length) throw new Truncated('The stream ends within a value');
  return { type, raw: stream.slice(from, end), text, items };
}
