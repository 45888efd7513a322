import { describe, expect, it } from 'vitest';
import { finalCode, passivePort, withPassiveAddress } from '#lib/chaos/proxy/ftp/replies.ts';
import { type MalformMode, malform } from '#lib/chaos/proxy/http/malform.ts';
import { failItems } from '#lib/chaos/proxy/http/partial-batch.ts';
import { isHealthCheck, takesLocks, verbOf } from '#lib/chaos/proxy/postgres/sql.ts';
import { createRandom } from '#lib/chaos/random.ts';
import { completionText } from '#server/inference/nemotron/completion-text.ts';
import { readFrameComment, writeFrameComment } from '#server/pipeline/intake/frame-comment.ts';
import { videoDefect } from '#server/pipeline/intake/video-container.ts';
import { parseAnalysis } from '#server/pipeline/work/analysis-answer.ts';
import { hostileStreams } from '#tests/support/hostile-bytes.ts';

const CASES = 1500;
/** No single text may take a parser longer; a quadratic one takes minutes for the longest texts here. */
const SLOW_MS = 10_000;

function quickly<T>(work: () => T): T {
  const startedMs = performance.now();
  const value = work();
  expect(performance.now() - startedMs).toBeLessThan(SLOW_MS);
  return value;
}

const COMMENT = { camera: 'front', sequence: 7, capturedAt: 1_700_000_000_000, traceId: 'abcdefgh-1234' };
const JPEG = writeFrameComment(
  Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xda, 0, 8]), Buffer.alloc(64, 9)]),
  COMMENT,
);

describe('The comment of a frame', () => {
  it('is whole or none, whatever the bytes', () => {
    let read = 0;
    for (const bytes of hostileStreams(21, CASES, [JPEG])) {
      const comment = readFrameComment(bytes);
      if (comment) read++;
      expect(Object.keys(comment ?? COMMENT).sort()).toEqual(Object.keys(COMMENT).sort());
    }
    expect(read).toBeGreaterThan(CASES / 20);
  });

  it('is the same for every cut behind it, and none for every cut inside', () => {
    const end = JPEG.indexOf('}') + 1;
    for (let cut = 0; cut <= JPEG.length; cut++) {
      expect(readFrameComment(JPEG.subarray(0, cut))).toEqual(cut < end ? undefined : COMMENT);
    }
  });

  it('does not stop at 20 000 empty segments', () => {
    const segments = Buffer.alloc(80_000, Buffer.from([0xff, 0xe1, 0, 2]));
    const bytes = Buffer.concat([Buffer.from([0xff, 0xd8]), segments]);
    expect(quickly(() => readFrameComment(bytes))).toBeUndefined();
  });
});

function box(name: string, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32BE(length, 0);
  bytes.write(name, 4, 'latin1');
  return bytes;
}

describe('A video container', () => {
  const mp4 = Buffer.concat([box('ftyp', 16), box('moov', 24), box('mdat', 40)]);
  const large = Buffer.concat([box('ftyp', 16), box('moov', 24), box('mdat', 40)]);
  large.writeUInt32BE(1, 40);
  large.writeBigUInt64BE(40n, 48);
  const avi = Buffer.from('RIFF\x20\0\0\0AVI \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0', 'latin1');
  const mkv = Buffer.concat([
    Buffer.from([0x1a, 0x45, 0xdf, 0xa3, 0x82, 1, 2, 0x18, 0x53, 0x80, 0x67, 0x88]),
    Buffer.alloc(8),
  ]);

  it('is judged whatever the bytes, in no time', () => {
    for (const [extension, models] of [
      ['mp4', [mp4, large]],
      ['avi', [avi]],
      ['mkv', [mkv]],
    ] as const) {
      const verdicts = new Set<boolean>();
      for (const bytes of hostileStreams(22, CASES, models)) {
        verdicts.add(videoDefect(bytes, extension) === undefined);
      }
      expect(verdicts.has(false)).toBe(true);
    }
    expect(videoDefect(large, 'mp4')).toBeUndefined();
    const many = Buffer.alloc(2 * 1024 * 1024, box('free', 8));
    expect(quickly(() => videoDefect(many, 'mp4'))).toBe('no "moov" box');
  });

  it.each([0n, 7n, 2n ** 31n, 2n ** 53n + 1n, 2n ** 64n - 1n])('says so of a box of %d bytes', (length) => {
    const bytes = Buffer.from(large);
    bytes.writeBigUInt64BE(length, 48);
    expect(videoDefect(bytes, 'mp4')).toMatch(/mdat|cut off/);
  });
});

describe("A language model's text", () => {
  it('gives a score from 0 to 100 or none, whatever it is', () => {
    const texts = ['tell me', 'a person at the door', 'x', 'y'].map((prompt) =>
      Buffer.from(completionText(prompt, 100, []).content),
    );
    let read = 0;
    for (const bytes of hostileStreams(23, CASES, texts)) {
      const answer = parseAnalysis(bytes.toString('utf8'));
      if (!answer) continue;
      read++;
      expect(answer.riskScore).toBeGreaterThanOrEqual(0);
      expect(answer.riskScore).toBeLessThanOrEqual(100);
    }
    expect(read).toBeGreaterThan(CASES / 20);
  });

  it.each([
    ['think blocks without end', '<think>'],
    ['ends of think blocks', '</think>'],
    ['objects inside objects', '{"a":'],
    ['arrays inside an object', '['],
    ['quotes', '"'],
    ['white space', ' '],
    ['commas and spaces', ', '],
    ['half objects', '{"a": }'],
  ])('is given up quickly: %s', (_, unit) => {
    const long = unit.repeat(Math.ceil((4 * 1024 * 1024) / unit.length));
    for (const text of [long, `{"x": "y"${long}`]) {
      expect(quickly(() => parseAnalysis(text))?.riskScore).toBeUndefined();
    }
  });
});

describe('A body that is spoilt', () => {
  const modes: readonly MalformMode[] = ['not_json', 'truncated', 'missing_score', 'score_out_of_range'];
  const json = Buffer.from('{"results":[{"score":0.5},{"confidence":1}],"content":"{\\"risk_score\\": 4}"}');

  it('is other bytes than before, or an empty cut, whatever it was', () => {
    for (const bytes of hostileStreams(24, CASES, [json])) {
      for (const mode of modes) expect(Buffer.isBuffer(malform(bytes, mode))).toBe(true);
      failItems(bytes, 1, 0.5, 'f1');
    }
  });

  it('may be nested 100 000 deep', () => {
    const value = '['.repeat(100_000) + ']'.repeat(100_000);
    const deep = Buffer.from(`{"score":1,"results":[${value},${value}]}`);
    for (const mode of modes) expect(quickly(() => malform(deep, mode))).toBeInstanceOf(Buffer);
    expect(quickly(() => failItems(deep, 1, 0.5, 'f1'))).toBeUndefined();
  });
});

describe('FTP replies', () => {
  const valid = ['227 Entering Passive Mode (127,0,0,1,78,32)', '229 Entering (|||20000|)', '220-hello'];

  it('name a port that can be dialled, or none', () => {
    let found = 0;
    const models = valid.map((line) => Buffer.from(line));
    for (const bytes of hostileStreams(25, CASES, models)) {
      const line = bytes.toString('utf8');
      const port = passivePort(line);
      finalCode(line);
      if (port === undefined) continue;
      found++;
      expect(port).toBeGreaterThan(0);
      expect(port).toBeLessThan(65_536);
      expect(passivePort(withPassiveAddress(line, '127.0.0.1', 20_001)), line).toBe(20_001);
    }
    expect(found).toBeGreaterThan(CASES / 20);
  });

  it.each([
    '227 (127,0,0,1,999,999)',
    '227 (127,0,0,1,256,0)',
    '227 (127,0,0,1,0,0)',
    '229 (|||99999|)',
    '229 (|||0|)',
  ])('name no port in %s', (line) => {
    expect(passivePort(line)).toBeUndefined();
  });
});

describe('SQL', () => {
  it('is read quickly, whatever it is', () => {
    const random = createRandom(26);
    const parts = ['select 1', ' ', '\n', '--', '/*', '*/', ';', 'for', 'update', 'x', '\0'];
    for (let n = 0; n < 300; n++) {
      const unit = Array.from({ length: 3 }, () => parts[Math.floor(random() * parts.length)]).join('');
      const sql = `select 1${unit.repeat(3000)}x`;
      quickly(() => [verbOf(sql), isHealthCheck(sql), takesLocks(sql)]);
    }
    expect(isHealthCheck(' SELECT  1 ; ')).toBe(true);
    expect(isHealthCheck('select 1 + 1')).toBe(false);
  });
});
