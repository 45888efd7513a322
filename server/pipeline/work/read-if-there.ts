import { readFile } from 'node:fs/promises';

/** Undefined for a file that is gone. @throws what else the file system says: that may pass */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
