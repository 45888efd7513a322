import { extname } from 'node:path';
import { decodeTime } from 'ulid';

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

export function isUploadId(text: string): boolean {
  return ULID.test(text);
}

/** The id in a file name of ours (`<ULID>.<ext>`), undefined for any other name. */
export function uploadIdOfFile(fileName: string): string | undefined {
  const extension = extname(fileName);
  const id = fileName.slice(0, fileName.length - extension.length);
  return extension.length > 1 && isUploadId(id) ? id : undefined;
}

/** Day of the upload, UTC, as `yyyy-mm-dd`. */
export function dayOfUpload(id: string): string {
  return new Date(decodeTime(id)).toISOString().slice(0, 10);
}
