import { crc32 } from 'node:zlib';

/** `<crc32 of the JSON, 8 hex digits> <JSON>\n`. JSON holds no raw line break, so a damaged record ends where it ends. */
export function encodeLine(value: unknown): string {
  const json = JSON.stringify(value);
  return `${checksum(json)} ${json}\n`;
}

export type DecodedLine =
  | { readonly ok: true; readonly value: unknown; readonly offset: number; readonly lengthBytes: number }
  | {
      readonly ok: false;
      /** torn: the end of the file came before the end of the line. */
      readonly why: 'torn' | 'checksum' | 'json';
      readonly bytes: Buffer;
      readonly offset: number;
      readonly lengthBytes: number;
    };

const LINE_FEED = 0x0a;

/** Reads every record of a file; damaged ones come in their place. Never throws. */
export function* decodeLines(bytes: Buffer): Generator<DecodedLine> {
  let offset = 0;
  while (offset < bytes.length) {
    const end = bytes.indexOf(LINE_FEED, offset);
    if (end === -1) {
      const rest = bytes.subarray(offset);
      yield { ok: false, why: 'torn', bytes: rest, offset, lengthBytes: rest.length };
      return;
    }
    yield decodeLine(bytes.subarray(offset, end + 1), offset);
    offset = end + 1;
  }
}

/** Decodes one line, line feed included. */
export function decodeLine(line: Buffer, offset = 0): DecodedLine {
  const lengthBytes = line.length;
  if (line.at(-1) !== LINE_FEED) return { ok: false, why: 'torn', bytes: line, offset, lengthBytes };
  const json = line.subarray(9, -1);
  if (line.subarray(0, 9).toString('latin1') !== `${checksum(json)} `) {
    return { ok: false, why: 'checksum', bytes: line, offset, lengthBytes };
  }
  try {
    return { ok: true, value: JSON.parse(json.toString()), offset, lengthBytes };
  } catch {
    return { ok: false, why: 'json', bytes: line, offset, lengthBytes };
  }
}

function checksum(json: string | Buffer): string {
  return crc32(json).toString(16).padStart(8, '0');
}
