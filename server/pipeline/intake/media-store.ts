import { access, mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../logging.ts';
import { isErrorCode } from './durable-file.ts';
import { dayOfUpload } from './upload-id.ts';

/** Pruning goes down to this share of the limit, so that it is not done for every file. */
const PRUNE_TO_RATIO = 0.95;

/** Files of uploads whose row has committed: `media/<yyyy-mm-dd>/<id>.<ext>`, oldest removed first beyond a size. */
export class MediaStore {
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #logger: Logger;
  #totalBytes = 0;
  #pruning: Promise<void> | undefined;

  constructor(directory: string, maxBytes: number, logger: Logger) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.#logger = logger;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    for (const day of await this.#days()) {
      for (const name of await readdir(join(this.#directory, day))) {
        this.#totalBytes += (await sizeOf(join(this.#directory, day, name))) ?? 0;
      }
    }
    this.#prune();
  }

  pathOf(id: string, extension: string): string {
    return join(this.#directory, dayOfUpload(id), `${id}.${extension}`);
  }

  async has(id: string, extension: string): Promise<boolean> {
    return exists(this.pathOf(id, extension));
  }

  /** @returns false when `source` is gone */
  async take(source: string, id: string, extension: string): Promise<boolean> {
    const target = this.pathOf(id, extension);
    const size = await sizeOf(source);
    if (size === undefined) return false;
    try {
      await mkdir(join(this.#directory, dayOfUpload(id)), { recursive: true });
      await rename(source, target);
    } catch (error) {
      if (isErrorCode(error, 'ENOENT')) return false;
      throw error;
    }
    this.#totalBytes += size;
    this.#prune();
    return true;
  }

  async close(): Promise<void> {
    await this.#pruning;
  }

  #prune(): void {
    if (this.#pruning || this.#totalBytes <= this.#maxBytes) return;
    this.#pruning = this.#removeOldest()
      .catch((error: unknown) => this.#logger.warn({ err: error }, 'media could not be pruned'))
      .finally(() => {
        this.#pruning = undefined;
      });
  }

  async #removeOldest(): Promise<void> {
    const targetBytes = this.#maxBytes * PRUNE_TO_RATIO;
    let removed = 0;
    for (const day of await this.#days()) {
      const folder = join(this.#directory, day);
      for (const name of (await readdir(folder)).sort()) {
        if (this.#totalBytes <= targetBytes) break;
        const size = (await sizeOf(join(folder, name))) ?? 0;
        await rm(join(folder, name), { force: true });
        this.#totalBytes -= size;
        removed++;
      }
      if (this.#totalBytes <= targetBytes) break;
      await rmdir(folder).catch(() => {}); // a file may just have come in
    }
    this.#logger.info({ removed, totalBytes: this.#totalBytes }, 'oldest media removed');
  }

  async #days(): Promise<string[]> {
    return (await readdir(this.#directory)).filter((name) => /^\d{4}-\d\d-\d\d$/.test(name)).sort();
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
