import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ChaosError } from '../errors.ts';

interface Waiting {
  readonly bytes: Buffer;
  readonly sync: boolean;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: unknown) => void;
}

/** How many bytes go into one write at most, so that one batch never holds the others up for long. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;

/**
 * One file to which whole records are appended.
 *
 * Records that arrive while a write is under way share the next write and its fsync. A write that fails (disk full)
 * leaves the file as it was before: nothing of it is kept, and what comes later starts at a clean end.
 */
export class AppendLog {
  readonly path: string;
  readonly #file: FileHandle;
  #sizeBytes: number;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  #broken = false;
  #closed = false;

  private constructor(path: string, file: FileHandle, sizeBytes: number) {
    this.path = path;
    this.#file = file;
    this.#sizeBytes = sizeBytes;
  }

  /** Opens or makes the file; what lies beyond `sizeBytes` is cut off. The folder entry is on disk when this resolves. */
  static async open(path: string, sizeBytes: number): Promise<AppendLog> {
    const file = await open(path, 'a+', 0o600);
    try {
      if ((await file.stat()).size > sizeBytes) await file.truncate(sizeBytes);
      await file.datasync();
      await syncFolder(dirname(path));
    } catch (error) {
      await file.close();
      throw error;
    }
    return new AppendLog(path, file, sizeBytes);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Its end is not known any more: append to another file. */
  get broken(): boolean {
    return this.#broken;
  }

  /**
   * Appends, and gives the offset of the first byte. With `sync` it resolves once the bytes are on disk.
   * @throws {ChaosError} STORE_UNAVAILABLE; the cause is the system's error (ENOSPC, EIO …). Nothing was kept.
   */
  append(text: string, sync: boolean): Promise<number> {
    if (this.#closed || this.#broken) {
      return Promise.reject(new ChaosError('STORE_UNAVAILABLE', `${this.path} takes no more records`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes: Buffer.from(text), sync, resolve, reject });
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = undefined;
      });
    });
  }

  async read(offset: number, lengthBytes: number): Promise<Buffer> {
    const buffer = Buffer.alloc(lengthBytes);
    const { bytesRead } = await this.#file.read(buffer, 0, lengthBytes, offset);
    return buffer.subarray(0, bytesRead);
  }

  /** Waits for what was appended, then closes the file. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#flushing;
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      const bytes = Buffer.concat(batch.map((each) => each.bytes));
      try {
        if (this.#broken) throw new Error('an earlier failed write could not be undone');
        await this.#file.appendFile(bytes);
        if (batch.some((each) => each.sync)) await this.#file.datasync();
      } catch (cause) {
        await this.#undo();
        for (const each of batch) {
          each.reject(new ChaosError('STORE_UNAVAILABLE', `${this.path} could not be written`, { cause }));
        }
        continue;
      }
      for (const each of batch) {
        each.resolve(this.#sizeBytes);
        this.#sizeBytes += each.bytes.length;
      }
    }
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex((each, index) => {
      bytes += each.bytes.length;
      return index > 0 && bytes > MAX_BATCH_BYTES;
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  async #undo(): Promise<void> {
    try {
      await this.#file.truncate(this.#sizeBytes);
    } catch {
      this.#broken = true; // told by the next append
    }
  }
}

/** Makes new and removed names of a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
