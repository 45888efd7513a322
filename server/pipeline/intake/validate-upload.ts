import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import sharp from 'sharp';
import type { Upload } from '../contracts.ts';
import { extensionOf, kindOfExtension } from './file-format.ts';
import { readFrameComment } from './frame-comment.ts';
import { videoDefect } from './video-container.ts';

type RejectionCode = 'UNSUPPORTED_FORMAT' | 'TOO_SMALL' | 'TOO_LARGE' | 'CORRUPT_IMAGE' | 'CORRUPT_VIDEO';

export type Verdict =
  | { readonly valid: true; sha256: string; capturedAt: number | null; sequence: number | null }
  | { readonly valid: false; code: RejectionCode; message: string };

/** Decoding more than this would take a gigabyte of memory. */
const MAX_PIXELS = 100_000_000;

/**
 * Reads an upload in full and says whether it is whole.
 *
 * Images are decoded to the last pixel and a warning counts as a failure: a truncated JPEG only warns. Videos are
 * checked by container.
 * @throws what the file system says (ENOENT: it vanished); that is no verdict on the file
 */
export async function validateUpload(
  upload: Pick<Upload, 'path'>,
  limits: { minBytes: number; maxBytes: number },
): Promise<Verdict> {
  const extension = extensionOf(upload.path);
  const kind = kindOfExtension(extension);
  if (!kind) return reject('UNSUPPORTED_FORMAT', `.${extension} is not taken`);
  const { size } = await stat(upload.path);
  if (size < limits.minBytes) return reject('TOO_SMALL', `${size} bytes, at least ${limits.minBytes}`);
  if (size > limits.maxBytes) return reject('TOO_LARGE', `${size} bytes, at most ${limits.maxBytes}`);

  const bytes = await readFile(upload.path);
  if (kind === 'image') {
    const defect = await imageDefect(bytes);
    if (defect) return reject('CORRUPT_IMAGE', defect);
  } else {
    const defect = videoDefect(bytes, extension);
    if (defect) return reject('CORRUPT_VIDEO', defect);
  }
  const comment = readFrameComment(bytes);
  return {
    valid: true,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    capturedAt: comment?.capturedAt ?? null,
    sequence: comment?.sequence ?? null,
  };
}

async function imageDefect(bytes: Buffer): Promise<string | undefined> {
  try {
    const image = sharp(bytes, { failOn: 'warning', limitInputPixels: MAX_PIXELS });
    const { format } = await image.metadata();
    if (format !== 'jpeg' && format !== 'png') return `the content is ${format}`;
    await image.raw().toBuffer();
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? 'cannot be decoded') : String(error);
  }
}

function reject(code: RejectionCode, message: string): Verdict {
  return { valid: false, code, message };
}
