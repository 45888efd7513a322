import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isErrorCode, writeDurably } from './durable-file.ts';

/** As many cameras as CAMERA_COUNT allows, so that the file never has to grow. */
const MAX_CAMERAS = 64;

const credentialsSchema = z.object({
  ftp: z.record(z.string(), z.string().min(16)),
});

/** FTP password of each camera account. */
export type CameraCredentials = Readonly<Record<string, string>>;

export function cameraName(index: number): string {
  return `cam-${String(index + 1).padStart(2, '0')}`;
}

/**
 * The camera accounts in `DATA_DIR/credentials.json` (mode 0600). Whoever asks first makes them; of two processes that
 * ask at once one wins and both get the same passwords.
 * @throws {Error} when the file is there but not usable
 */
export async function loadCredentials(dataDir: string): Promise<CameraCredentials> {
  const path = join(dataDir, 'credentials.json');
  const existing = await readCredentials(path);
  if (existing) return existing;
  await mkdir(dataDir, { recursive: true });
  const ftp = Object.fromEntries(
    Array.from({ length: MAX_CAMERAS }, (_, index) => [
      cameraName(index),
      randomBytes(18).toString('base64url'),
    ]),
  );
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    await writeDurably(draft, `${JSON.stringify({ ftp }, null, 2)}\n`);
    await link(draft, path);
  } catch (error) {
    if (!isErrorCode(error, 'EEXIST')) throw error; // EEXIST: the other process was first
  } finally {
    await rm(draft, { force: true });
  }
  const made = await readCredentials(path);
  if (!made) throw new Error(`${path} vanished while it was being made`);
  return made;
}

async function readCredentials(path: string): Promise<CameraCredentials | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return credentialsSchema.parse(JSON.parse(text)).ftp;
  } catch (cause) {
    throw new Error(`${path} is not usable: remove it and start again`, { cause });
  }
}
