import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';

const lineSchema = z.object({ id: z.string(), reason: z.string(), at: z.number() });

/** Accepted uploads that were given up on purpose, by name and with a reason; one fsynced line each. */
export class DroppedUploads {
  readonly #path: string;
  readonly #ids = new Set<string>();

  private constructor(path: string) {
    this.#path = path;
  }

  static async open(path: string): Promise<DroppedUploads> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const dropped = new DroppedUploads(path);
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    for (const line of text.split('\n')) {
      const parsed = lineSchema.safeParse(parse(line));
      if (parsed.success) dropped.#ids.add(parsed.data.id); // a line cut off by a crash was never acknowledged
    }
    return dropped;
  }

  ids(): ReadonlySet<string> {
    return this.#ids;
  }

  add(id: string, reason: string, at: number): Promise<void> {
    return this.addAll([id], reason, at);
  }

  /** Many with one write. */
  async addAll(ids: readonly string[], reason: string, at: number): Promise<void> {
    const lines = ids.map((id) => `${JSON.stringify({ id, reason, at })}\n`);
    // The leading line end closes what a crash may have cut off.
    await appendFile(this.#path, `\n${lines.join('')}`, { mode: 0o600, flush: true });
    for (const id of ids) this.#ids.add(id);
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
