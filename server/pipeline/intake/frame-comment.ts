/**
 * The COM segment by which a camera tells who took a frame and when.
 *
 *     FFD8 │ APPn … │ FFFE length {"camera":…,"sequence":…,"capturedAt":…,"traceId":…} │ the rest of the JPEG
 */
import { z } from 'zod';

const frameCommentSchema = z.object({
  camera: z.string().min(1).max(64),
  sequence: z.number().int().min(0),
  /** Epoch ms. */
  capturedAt: z.number().min(0),
  traceId: z.string().regex(/^[A-Za-z0-9-]{8,64}$/),
});
export type FrameComment = z.infer<typeof frameCommentSchema>;

const SOI = 0xd8;
const SOS = 0xda;
const COM = 0xfe;
const MAX_COMMENT_BYTES = 65_533;

interface Segment {
  marker: number;
  /** Of its FF byte. */
  start: number;
  dataStart: number;
  end: number;
}

/** The segments before the image data that lie wholly in `bytes`. */
function* headerSegments(bytes: Buffer): Generator<Segment> {
  if (bytes[0] !== 0xff || bytes[1] !== SOI) return;
  for (let start = 2; start + 4 <= bytes.length; ) {
    const marker = bytes[start + 1];
    if (bytes[start] !== 0xff || marker === undefined || marker === SOS) return;
    const end = start + 2 + bytes.readUInt16BE(start + 2);
    if (end > bytes.length) return;
    yield { marker, start, dataStart: start + 4, end };
    start = end;
  }
}

/** Undefined when there is no comment of ours; the first bytes of a file are enough. */
export function readFrameComment(bytes: Buffer): FrameComment | undefined {
  for (const segment of headerSegments(bytes)) {
    if (segment.marker !== COM) continue;
    try {
      const parsed = frameCommentSchema.safeParse(
        JSON.parse(bytes.toString('utf8', segment.dataStart, segment.end)),
      );
      if (parsed.success) return parsed.data;
    } catch {
      // a comment of somebody else
    }
  }
  return undefined;
}

/**
 * The JPEG with a comment put in behind its APPn segments (JFIF wants its own to be first).
 * @throws {RangeError} when `jpeg` is not a JPEG or the comment is longer than a segment
 */
export function writeFrameComment(jpeg: Buffer, comment: FrameComment): Buffer {
  if (jpeg[0] !== 0xff || jpeg[1] !== SOI) throw new RangeError('Expected a JPEG');
  const text = Buffer.from(JSON.stringify(comment));
  if (text.length > MAX_COMMENT_BYTES) {
    throw new RangeError(`Expected a comment of at most ${MAX_COMMENT_BYTES} bytes, got ${text.length}`);
  }
  let position = 2;
  for (const segment of headerSegments(jpeg)) {
    if (segment.marker < 0xe0 || segment.marker > 0xef) break;
    position = segment.end;
  }
  const head = Buffer.from([0xff, COM, 0, 0]);
  head.writeUInt16BE(text.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, position), head, text, jpeg.subarray(position)]);
}
