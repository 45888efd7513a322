/** The little of RFC 1035 that a name server for a handful of names needs. */

export interface DnsQuestion {
  /** Lower case, without the final dot. */
  readonly name: string;
  readonly type: number;
}

export interface DnsQuery extends DnsQuestion {
  readonly id: number;
  /** The question as it came; an answer repeats it. */
  readonly question: Buffer;
}

export const RECORD_A = 1;
export const ANSWER_CODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3 } as const;
export type AnswerCode = keyof typeof ANSWER_CODES;

const HEADER_BYTES = 12;
const QUERY_FLAGS_MASK = 0xf800; // response and opcode: both 0 in a standard query
const LABEL_MAX_BYTES = 63;
const NAME_MAX_BYTES = 255;
const CLASS_IN = 1;
/** It is an answer, by the authority for this name. */
const ANSWER_FLAGS = 0x8400;
const RECURSION_DESIRED = 0x0100;

/** A standard query with one question; undefined for anything else, hostile bytes included. */
export function readQuery(message: Buffer): DnsQuery | undefined {
  if (message.length < HEADER_BYTES || (message.readUInt16BE(2) & QUERY_FLAGS_MASK) !== 0) return undefined;
  if (message.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = message[at++];
    if (length === undefined || length > LABEL_MAX_BYTES || at + length > message.length) return undefined;
    if (length === 0) break;
    labels.push(message.toString('latin1', at, at + length).toLowerCase());
    at += length;
    if (at - HEADER_BYTES > NAME_MAX_BYTES) return undefined;
  }
  const end = at + 4;
  if (end > message.length || message.readUInt16BE(at + 2) !== CLASS_IN) return undefined;
  return {
    id: message.readUInt16BE(0),
    name: labels.join('.'),
    type: message.readUInt16BE(at),
    question: message.subarray(HEADER_BYTES, end),
  };
}

/**
 * The answer to a query: with one address, or with none. Nothing of it may be kept by whoever gets it (TTL 0).
 * @throws {TypeError} when `address` is no IPv4 address
 */
export function writeAnswer(query: DnsQuery, code: AnswerCode, address?: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(query.id, 0);
  header.writeUInt16BE(ANSWER_FLAGS | RECURSION_DESIRED | ANSWER_CODES[code], 2);
  header.writeUInt16BE(1, 4);
  if (address === undefined) return Buffer.concat([header, query.question]);
  header.writeUInt16BE(1, 6);
  const record = Buffer.alloc(16);
  record.writeUInt16BE(0xc000 | HEADER_BYTES, 0); // the name of the question
  record.writeUInt16BE(RECORD_A, 2);
  record.writeUInt16BE(CLASS_IN, 4);
  record.writeUInt16BE(4, 10);
  const bytes = address.split('.').map(Number);
  if (bytes.length !== 4 || !bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255)) {
    throw new TypeError(`Expected an IPv4 address, got "${address}"`);
  }
  record.set(bytes, 12);
  return Buffer.concat([header, query.question, record]);
}
