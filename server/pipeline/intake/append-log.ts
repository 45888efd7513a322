import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

interface Waiting {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const TAIL_CHUNK_BYTES = 64 * 1024;

/**
 * A file of lines in which an appended line is on the disk when its promise resolves.
 *
 * Lines that wait while the disk is busy share one fsync. A torn last line (a crash during a write: nobody was told
 * that it is there) is cut off when the file is opened; a failed write is cut off again, so that the next one starts
 * on a line of its own.
 */
export class AppendLog {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #waiting: Waiting[] = [];
  #sizeBytes: number;
  #flushing: Promise<void> | undefined;
  #mustCut = false;

  private constructor(path: string, handle: FileHandle, sizeBytes: number) {
    this.path = path;
    this.#handle = handle;
    this.#sizeBytes = sizeBytes;
  }

  static async open(path: string): Promise<AppendLog> {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      const { size } = await handle.stat();
      const wholeBytes = await endOfLastLine(handle, size);
      if (wholeBytes < size) await handle.truncate(wholeBytes);
      return new AppendLog(path, handle, wholeBytes);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** @throws what the disk says; the line is then not in the file */
  append(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject });
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = undefined;
      });
    });
  }

  async close(): Promise<void> {
    await this.#flushing;
    await this.#handle.close();
  }

  async #flush(): Promise<void> {
    await Promise.resolve(); // lines of the same turn go together
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      const bytes = Buffer.from(batch.map(({ line }) => `${line}\n`).join(''));
      try {
        await this.#write(bytes);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.#mustCut = true;
        await this.#cut().catch(() => {}); // tried again before the next write
        for (const { reject } of batch) reject(error);
      }
    }
  }

  async #write(bytes: Buffer): Promise<void> {
    await this.#cut();
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(
        bytes,
        written,
        bytes.length - written,
        this.#sizeBytes + written,
      );
      written += bytesWritten;
    }
    await this.#handle.datasync();
    this.#sizeBytes += bytes.length;
  }

  async #cut(): Promise<void> {
    if (!this.#mustCut) return;
    await this.#handle.truncate(this.#sizeBytes);
    this.#mustCut = false;
  }
}

async function endOfLastLine(handle: FileHandle, sizeBytes: number): Promise<number> {
  const chunk = Buffer.alloc(TAIL_CHUNK_BYTES);
  for (let end = sizeBytes; end > 0; ) {
    const start = Math.max(0, end - chunk.length);
    await handle.read(chunk, 0, end - start, start);
    const newline = chunk.subarray(0, end - start).lastIndexOf(0x0a);
    if (newline >= 0) return start + newline + 1;
    end = start;
  }
  return 0;
}
