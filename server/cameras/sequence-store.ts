import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { isErrorCode, writeDurably } from '../pipeline/intake/durable-file.ts';

const fileSchema = z.record(z.string(), z.number().int().min(0));

/** Numbers reserved with one write; a restart skips at most so many. */
const BLOCK = 500;

/**
 * Sequence numbers that are never given twice, over restarts and crashes: the end of a block is on the disk before the
 * first number of the block is given.
 */
export class SequenceStore {
  readonly #path: string;
  readonly #reservedUpTo: Record<string, number>;
  readonly #next = new Map<string, number>();
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, reservedUpTo: Record<string, number>) {
    this.#path = path;
    this.#reservedUpTo = reservedUpTo;
  }

  /** @throws {Error} when the file is there but cannot be read: going on would repeat names */
  static async open(path: string): Promise<SequenceStore> {
    await mkdir(dirname(path), { recursive: true });
    let text = '{}';
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if (!isErrorCode(error, 'ENOENT')) throw error;
    }
    return new SequenceStore(path, fileSchema.parse(JSON.parse(text)));
  }

  async next(camera: string): Promise<number> {
    const reserved = this.#reservedUpTo[camera] ?? 0;
    const sequence = this.#next.get(camera) ?? reserved;
    if (sequence >= reserved) {
      const write = this.#writing.then(() => {
        const all = { ...this.#reservedUpTo, [camera]: sequence + BLOCK };
        return writeDurably(this.#path, `${JSON.stringify(all)}\n`).then(() => {
          this.#reservedUpTo[camera] = sequence + BLOCK;
        });
      });
      this.#writing = write.catch(() => {});
      await write;
    }
    this.#next.set(camera, sequence + 1);
    return sequence;
  }
}
