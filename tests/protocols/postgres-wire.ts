/** Messages of PostgreSQL's protocol 3, written and read by hand: nothing here is the proxy's own code. */

export function message(type: string, ...parts: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export const query = (sql: string): Buffer => message('Q', `${sql}\0`);
export const parse = (statement: string, sql: string, types: number[] = []): Buffer =>
  message('P', `${statement}\0${sql}\0`, int16(types.length), ...types.map(int32));
export const describe = (kind: 'S' | 'P', name: string): Buffer => message('D', `${kind}${name}\0`);
export const execute = (portal: string, maxRows = 0): Buffer => message('E', `${portal}\0`, int32(maxRows));
export const close = (kind: 'S' | 'P', name: string): Buffer => message('C', `${kind}${name}\0`);
export const SYNC = message('S');
export const FLUSH = message('H');
export const TERMINATE = message('X');

/** Parameters as text or bytes; `binary` asks for results in binary. */
export function bind(
  portal: string,
  statement: string,
  parameters: (string | Buffer | null)[] = [],
  binary = false,
): Buffer {
  const formats = parameters.map((value) => int16(Buffer.isBuffer(value) ? 1 : 0));
  const values = parameters.flatMap((value) => {
    if (value === null) return [int32(-1)];
    const bytes = Buffer.from(value);
    return [int32(bytes.length), bytes];
  });
  return message(
    'B',
    `${portal}\0${statement}\0`,
    int16(formats.length),
    ...formats,
    int16(parameters.length),
    ...values,
    int16(1),
    int16(binary ? 1 : 0),
  );
}

/** A packet without type: start-up, cancel, or a request for encryption. */
export function packet(code: number, ...parts: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return Buffer.concat([int32(body.length + 8), int32(code), body]);
}

export const SSL_REQUEST = packet(80877103);
export const GSS_REQUEST = packet(80877104);

export function startup(settings: Readonly<Record<string, string>>, version = 196_608): Buffer {
  return packet(
    version,
    Object.entries(settings)
      .map(([name, value]) => `${name}\0${value}\0`)
      .join(''),
    '\0',
  );
}

export interface Answer {
  readonly type: string;
  readonly body: Buffer;
}

/** The whole messages in `bytes`; what is no message comes last, as one of type "rest". */
export function readAnswers(bytes: Buffer): Answer[] {
  const answers: Answer[] = [];
  let at = 0;
  while (bytes.length - at >= 5) {
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    if (end < at + 5 || end > bytes.length) break;
    answers.push({ type: String.fromCharCode(bytes[at] ?? 0), body: bytes.subarray(at + 5, end) });
    at = end;
  }
  if (at < bytes.length) answers.push({ type: 'rest', body: bytes.subarray(at) });
  return answers;
}

/**
 * What differs between two servings of the same: process ids (BackendKeyData, NotificationResponse) and cancel keys
 * (BackendKeyData). The lengths stay.
 */
export function masked(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (const { type, body } of readAnswers(copy)) {
    if (type === 'K') body.fill(0);
    if (type === 'A') body.fill(0, 0, 4);
  }
  return copy;
}
