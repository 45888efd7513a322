import { describe, expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import { readQuery, writeAnswer } from './message.ts';

const query = Buffer.from(
  '1234010000010000000000000552656469730862726f776e6f757408696e7465726e616c0000010001',
  'hex',
);

describe('readQuery', () => {
  it('reads name, type and id of a standard query', () => {
    expect(readQuery(query)).toMatchObject({ id: 0x1234, name: 'redis.brownout.internal', type: 1 });
  });

  it('takes no answer, no other class, no second question and no part of a query', () => {
    const altered = (at: number, byte: number) => {
      const copy = Buffer.from(query);
      copy[at] = byte;
      return copy;
    };
    expect(readQuery(altered(2, 0x81))).toBeUndefined();
    expect(readQuery(altered(query.length - 1, 3))).toBeUndefined();
    expect(readQuery(altered(5, 2))).toBeUndefined();
    expect(readQuery(altered(12, 0xc0))).toBeUndefined(); // a pointer
    for (let length = 0; length < query.length; length++) {
      expect(readQuery(query.subarray(0, length))).toBeUndefined();
    }
  });

  it('survives random and mutated bytes', () => {
    const random = createRandom(5);
    for (let n = 0; n < 5000; n++) {
      const bytes = Buffer.from(query);
      for (let at = n % 3 === 0 ? 0 : 12; at < bytes.length; at++) {
        if (random() < 0.2) bytes[at] = Math.floor(random() * 256);
      }
      const read = readQuery(bytes.subarray(0, Math.floor(random() * (bytes.length + 1))));
      if (read) expect(writeAnswer(read, 'NOERROR', '127.0.0.1').length).toBeLessThan(300);
    }
  });
});

describe('writeAnswer', () => {
  it('refuses what is no IPv4 address', () => {
    const read = readQuery(query);
    if (!read) throw new Error('The query was not read');
    for (const address of ['::1', 'localhost', '127.0.0', '127.0.0.256']) {
      expect(() => writeAnswer(read, 'NOERROR', address)).toThrow(TypeError);
    }
  });
});
