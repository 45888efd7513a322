import { describe, expect, it } from 'vitest';
import { CommandFramer } from './command-framer.ts';
import { ReplyFramer } from './reply-framer.ts';

/** The bytes as one chunk, cut in two at every place, and byte by byte. */
function* cuttings(bytes: Buffer): Generator<Buffer[]> {
  yield [bytes];
  for (let cut = 1; cut < bytes.length; cut++) yield [bytes.subarray(0, cut), bytes.subarray(cut)];
  yield Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
}

function commands(chunks: Buffer[], drop: string) {
  const names: string[] = [];
  const passed: Buffer[] = [];
  let ended = 0;
  const framer = new CommandFramer({
    command: ({ name, sub, words }) => {
      names.push(`${name}${sub ? ` ${sub}` : ''}/${words}`);
      return name === drop ? 'drop' : 'pass';
    },
    pass: (bytes) => passed.push(bytes),
    ended: () => {
      ended++;
    },
  });
  const rests = chunks.map((chunk) => framer.feed(chunk)).filter((rest) => rest !== undefined);
  return { names, passed: Buffer.concat(passed).toString(), ended, rests, atBoundary: framer.atBoundary };
}

describe('CommandFramer', () => {
  const set = '*3\r\n$3\r\nset\r\n$1\r\nk\r\n$12\r\n*1\r\n$4\r\nPING\r\n';
  const get = '*2\r\n$3\r\nGET\r\n$0\r\n\r\n';
  const client = '*4\r\n$6\r\nCLIENT\r\n$7\r\nSETINFO\r\n$8\r\nLIB-NAME\r\n$1\r\nx\r\n';
  const bytes = Buffer.from(`${set}${get}PING\r\n\r\n${client}*0\r\n${set}`);

  it('finds every command and takes out the dropped ones, however the bytes are cut', () => {
    for (const chunks of cuttings(bytes)) {
      expect(commands(chunks, 'GET')).toEqual({
        names: ['SET/3', 'GET/2', 'PING/1', 'CLIENT SETINFO/4', 'SET/3'],
        passed: `${set}PING\r\n\r\n${client}*0\r\n${set}`,
        ended: 5,
        rests: [],
        atBoundary: true,
      });
    }
  });

  it('gives back what it does not understand', () => {
    for (const chunks of [[Buffer.from([0x16, 3, 1, 2])], [Buffer.from('*2\r\n+oops\r\n')]]) {
      expect(Buffer.concat(commands(chunks, '').rests).equals(Buffer.concat(chunks))).toBe(true);
    }
  });
});

function replies(chunks: Buffer[]) {
  const found: string[] = [];
  let begun = 0;
  let fed = 0;
  let lastEnd = 0;
  const framer = new ReplyFramer({
    begins: () => {
      begun++;
    },
    ends: (type, offset, word) => {
      found.push(`${type}${word}`);
      lastEnd = fed + offset;
    },
  });
  const understood = chunks.map((chunk) => {
    const ok = framer.feed(chunk);
    fed += chunk.length;
    return ok;
  });
  return { found, begun, lastEnd, understood: understood.every(Boolean), atBoundary: framer.atBoundary };
}

describe('ReplyFramer', () => {
  const parts = [
    '+OK\r\n',
    '-ERR no\r\n',
    ':12\r\n',
    '$5\r\na\r\nbc\r\n',
    '$-1\r\n',
    '*-1\r\n',
    '*0\r\n',
    '*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n',
    '%2\r\n+a\r\n:1\r\n$1\r\nb\r\n*2\r\n:1\r\n_\r\n',
    '>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n',
    '~1\r\n#t\r\n',
    ',1.5\r\n',
    '=7\r\ntxt:abc\r\n',
    '!5\r\nERR x\r\n',
    '|1\r\n+k\r\n+v\r\n:7\r\n',
    '*2\r\n*1\r\n$4\r\ndeep\r\n$4\r\nflat\r\n',
  ];
  const bytes = Buffer.from(parts.join(''));

  it('finds every reply of RESP2 and RESP3, however the bytes are cut', () => {
    const found = [
      '+',
      '-',
      ':',
      '$',
      '$',
      '*',
      '*',
      '*subscribe',
      '%',
      '>message',
      '~',
      ',',
      '=',
      '!',
      ':',
      '*',
    ];
    for (const chunks of cuttings(bytes)) {
      expect(replies(chunks)).toMatchObject({ found, begun: parts.length, lastEnd: bytes.length });
      expect(replies(chunks)).toMatchObject({ understood: true, atBoundary: true });
    }
  });

  it('notices what is not RESP', () => {
    expect(replies([Buffer.from('HTTP/1.1 400\r\n')]).understood).toBe(false);
  });
});
