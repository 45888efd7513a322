import { describe, expect, it } from 'vitest';
import { MessageFramer } from './message-framer.ts';
import { extendedStatement, queryMessage, readBind, readParse, readQuery } from './messages.ts';

const SYNC = Buffer.from([0x53, 0, 0, 0, 4]);
const PARTS = [
  queryMessage('SELECT 1'),
  extendedStatement('st', 'SELECT 2'),
  SYNC,
  queryMessage('x'.repeat(100)),
  SYNC,
];
const BYTES = Buffer.concat(PARTS);

function read(chunks: Buffer[]) {
  const types: string[] = [];
  const passed: Buffer[] = [];
  const framer = new MessageFramer({
    headBytes: (type, bytes) => (type === 'Q' ? Math.min(bytes, 20) : bytes),
    message: (type, head, flush) => {
      types.push(type === 'Q' ? `Q:${readQuery(head).length}` : type);
      if (type === 'P') expect(readParse(head)).toEqual({ statement: 'st', sql: 'SELECT 2' });
      if (type === 'B') expect(readBind(head)).toEqual({ statement: 'st' });
      if (type === 'S') {
        flush();
        passed.push(Buffer.from('|'));
      }
      return type === 'E' || types.length === 1 ? 'drop' : 'pass';
    },
    pass: (bytes) => passed.push(bytes),
    ended: () => {},
  });
  for (const chunk of chunks) expect(framer.feed(chunk)).toBeUndefined();
  expect(framer.atBoundary).toBe(true);
  return { types, passed: Buffer.concat(passed).toString('latin1') };
}

describe('MessageFramer', () => {
  it('drops, inserts and passes at message boundaries, however the bytes are cut', () => {
    const whole = read([BYTES]);
    expect(whole.types).toEqual(['Q:8', 'P', 'B', 'E', 'S', 'Q:15', 'S']);
    const kept = Buffer.concat([
      extendedStatement('st', 'SELECT 2').subarray(0, -12),
      Buffer.from('|'),
      SYNC,
      PARTS[3] as Buffer,
      Buffer.from('|'),
      SYNC,
    ]);
    expect(whole.passed).toBe(kept.toString('latin1'));
    for (let cut = 1; cut < BYTES.length; cut++) {
      expect(read([BYTES.subarray(0, cut), BYTES.subarray(cut)])).toEqual(whole);
    }
    expect(read(Array.from(BYTES, (_, index) => BYTES.subarray(index, index + 1)))).toEqual(whole);
  });

  it('gives back what is not a message', () => {
    const framer = new MessageFramer({
      headBytes: () => 5,
      message: () => 'pass',
      pass: () => {},
      ended: () => {},
    });
    const bytes = Buffer.from([0x51, 0, 0, 0, 1, 9]);
    expect(framer.feed(bytes)?.equals(bytes)).toBe(true);
  });
});
