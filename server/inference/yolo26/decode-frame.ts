import sharp from 'sharp';

// One frame is small; two decoders beside each other would only take the other processes' core.
sharp.concurrency(1);
sharp.cache(false);

/** A frame in grey, small enough to compare with its background in about a millisecond. */
export interface GreyFrame {
  readonly width: number;
  readonly height: number;
  /** One byte a pixel, row by row. */
  readonly pixels: Uint8Array;
  /** Of the picture as it came, pixels. */
  readonly imageWidth: number;
  readonly imageHeight: number;
}

/** The bytes are no picture, or a damaged one. */
export class UndecodableImageError extends Error {
  constructor(cause: unknown) {
    super(`Image cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = new.target.name;
  }
}

/** Width of the grey frame, pixels: a quarter to a half of a usual camera's, so that JPEGs decode at reduced size. */
const GREY_WIDTH = 160;
/** Pictures beyond this many pixels are refused before they are decoded. */
const MAX_INPUT_PIXELS = 50_000_000;

/** @throws {UndecodableImageError} also for a truncated file */
export async function decodeFrame(bytes: Uint8Array): Promise<GreyFrame> {
  try {
    const image = sharp(bytes, { failOn: 'warning', limitInputPixels: MAX_INPUT_PIXELS });
    const { width: imageWidth, height: imageHeight } = await image.metadata();
    const height = Math.max(1, Math.round((GREY_WIDTH * imageHeight) / imageWidth));
    const { data, info } = await image
      .resize(GREY_WIDTH, height, { fit: 'fill', kernel: 'linear', fastShrinkOnLoad: true })
      .greyscale()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const pixels = info.channels === 1 ? data : everyNth(data, info.channels);
    return { width: info.width, height: info.height, pixels, imageWidth, imageHeight };
  } catch (error) {
    throw new UndecodableImageError(error);
  }
}

function everyNth(data: Uint8Array, channels: number): Uint8Array {
  const first = new Uint8Array(data.length / channels);
  for (let index = 0; index < first.length; index++) first[index] = data[index * channels] ?? 0;
  return first;
}
