import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readFrameComment, writeFrameComment } from './frame-comment.ts';

const comment = {
  camera: 'cam-07',
  sequence: 12,
  capturedAt: 1_700_000_000_123,
  traceId: 'trace-0123456789',
};
const picture = () =>
  sharp({ create: { width: 32, height: 32, channels: 3, background: '#456' } })
    .withExif({ IFD0: { Artist: 'somebody' } })
    .jpeg()
    .toBuffer();

describe('frame comment', () => {
  it('comes back, behind the APPn segments, and leaves the pixels alone', async () => {
    const jpeg = await picture();
    const marked = writeFrameComment(jpeg, comment);
    expect(readFrameComment(marked)).toEqual(comment);
    expect(marked.readUInt16BE(2)).toBe(jpeg.readUInt16BE(2)); // its APPn is still first
    expect(await sharp(marked, { failOn: 'warning' }).raw().toBuffer()).toEqual(
      await sharp(jpeg).raw().toBuffer(),
    );
  });

  it('is not seen in a picture without one, in other bytes, or in one that is cut off or hostile', async () => {
    const jpeg = await picture();
    expect(readFrameComment(jpeg)).toBeUndefined();
    expect(readFrameComment(Buffer.from('text'))).toBeUndefined();
    expect(readFrameComment(Buffer.alloc(0))).toBeUndefined();
    const marked = writeFrameComment(jpeg, comment);
    expect(readFrameComment(marked.subarray(0, marked.indexOf('cam-07')))).toBeUndefined();
    expect(readFrameComment(writeFrameComment(jpeg, { ...comment, traceId: 'a\nb' }))).toBeUndefined();
    expect(readFrameComment(writeFrameComment(jpeg, { ...comment, sequence: -1 }))).toBeUndefined();
  });

  it('refuses what is not a JPEG', () => {
    expect(() => writeFrameComment(Buffer.from('text'), comment)).toThrow(RangeError);
  });
});
