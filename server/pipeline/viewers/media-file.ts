import { type FileHandle, open, realpath } from 'node:fs/promises';
import { extname, sep } from 'node:path';
import type { Intake } from '../contracts.ts';
import { ViewerProblem } from './viewer-problem.ts';

export interface MediaFile {
  handle: FileHandle;
  contentType: string;
  sizeBytes: number;
}

const VIDEO_TYPES: Record<string, string> = {
  '.mp4': 'video/mp4',
  '.mov': 'video/quicktime',
  '.mkv': 'video/x-matroska',
  '.avi': 'video/x-msvideo',
};

/**
 * Opens the stored file of an upload; the caller closes the handle.
 *
 * Only a file that really lies in one of `roots` is opened, links followed; its type is what its first bytes say.
 * @throws {ViewerProblem} MEDIA_NOT_FOUND, or STORAGE_UNAVAILABLE when it is there and cannot be read
 */
export async function openMedia(
  intake: Pick<Intake, 'locate'>,
  roots: readonly string[],
  id: string,
): Promise<MediaFile> {
  const missing = () => new ViewerProblem('MEDIA_NOT_FOUND', `There is no picture of upload ${id}`);
  try {
    const located = await intake.locate(id);
    if (located === undefined) throw missing();
    const path = await realpath(located);
    const realRoots = await Promise.all(roots.map((root) => realpath(root).catch(() => undefined)));
    if (!realRoots.some((root) => root !== undefined && path.startsWith(root + sep))) throw missing();
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      return { handle, contentType: await contentTypeOf(handle, path), sizeBytes: size };
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof ViewerProblem) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw missing(); // moved or deleted a moment ago
    throw new ViewerProblem('STORAGE_UNAVAILABLE', 'The picture cannot be read now', {
      retryAfterMs: 5000,
      cause: error,
    });
  }
}

async function contentTypeOf(handle: FileHandle, path: string): Promise<string> {
  const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
  if (buffer.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))) return 'image/jpeg';
  if (buffer.equals(Buffer.from([0x89, 0x50, 0x4e, 0x47]))) return 'image/png';
  return VIDEO_TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream';
}
