import { describe, expect, it } from 'vitest';
import { videoDefect } from './video-container.ts';

function box(name: string, content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(content.length + 8, 0);
  head.write(name, 4, 'latin1');
  return Buffer.concat([head, content]);
}

const mp4 = Buffer.concat([
  box('ftyp', Buffer.from('isomiso2')),
  box('moov', Buffer.alloc(40)),
  box('mdat', Buffer.alloc(500)),
]);

const avi = Buffer.alloc(600);
avi.write('RIFF', 0, 'latin1');
avi.writeUInt32LE(592, 4);
avi.write('AVI ', 8, 'latin1');

const mkv = Buffer.concat([
  Buffer.from([0x1a, 0x45, 0xdf, 0xa3, 0x84, 1, 2, 3, 4]),
  Buffer.from([0x18, 0x53, 0x80, 0x67, 0x41, 0xf4]), // 500 bytes
  Buffer.alloc(500),
]);

describe('videoDefect', () => {
  it.each([
    ['mp4', mp4],
    ['mov', mp4],
    ['avi', avi],
    ['mkv', mkv],
  ])('takes a whole .%s and finds it cut by one byte', (extension, bytes) => {
    expect(videoDefect(bytes, extension)).toBeUndefined();
    expect(videoDefect(bytes.subarray(0, -1), extension)).toMatch(/there|missing/);
    expect(videoDefect(Buffer.alloc(600, 7), extension)).toMatch(/^no |not/);
  });

  it('misses the index of an MP4 cut at the end of a box', () => {
    expect(videoDefect(box('ftyp', Buffer.from('isomiso2')), 'mp4')).toMatch(/moov/);
  });

  it('takes a live recording whose Segment has no length', () => {
    const live = Buffer.from(mkv);
    live.set([0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 13);
    expect(videoDefect(live, 'mkv')).toBeUndefined();
  });
});
