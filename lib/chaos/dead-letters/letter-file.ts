import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { deadLetterSchema } from './dead-letter.ts';
import type { Kept } from './letter-index.ts';

export const LETTERS_FILE = 'letters.jsonl';

const recordSchema = z.discriminatedUnion('op', [
  /** The letter as it is from now on. `waiting` is false while it is back in its queue. */
  z.object({ op: z.literal('put'), at: z.number(), waiting: z.boolean(), letter: deadLetterSchema }),
  z.object({ op: z.literal('redriven'), at: z.number(), id: z.string() }),
  z.object({ op: z.literal('purged'), at: z.number(), id: z.string(), reason: z.string() }),
  z.object({ op: z.literal('resolved'), at: z.number(), id: z.string(), by: z.string() }),
  z.object({ op: z.literal('linked'), at: z.number(), id: z.string(), resentAs: z.string() }),
]);
export type StoreRecord = z.infer<typeof recordSchema>;

export interface UnreadableLine {
  number: number;
  why: 'torn' | 'invalid';
  text: string;
}

/** Letters that are written in one go when the file is made anew: the process goes on between two of them. */
const COMPACT_CHUNK = 500;

/** What the file of a folder says, in order; empty when there is none. A line that cannot be read is kept aside. */
export async function readRecords(folder: string): Promise<{
  records: StoreRecord[];
  unreadable: UnreadableLine[];
  /** Of whole lines. */
  lineCount: number;
  wholeBytes: number;
}> {
  const bytes = await readFile(join(folder, LETTERS_FILE)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  const wholeBytes = bytes.lastIndexOf(0x0a) + 1;
  const torn = bytes.subarray(wholeBytes).toString();
  const lines = bytes.subarray(0, wholeBytes).toString().split('\n').slice(0, -1);
  const unreadable: UnreadableLine[] = [];
  if (torn !== '') unreadable.push({ number: lines.length + 1, why: 'torn', text: torn });
  const records: StoreRecord[] = [];
  for (const [index, text] of lines.entries()) {
    const record = parseRecord(text);
    if (record) records.push(record);
    else unreadable.push({ number: index + 1, why: 'invalid', text });
  }
  if (unreadable.length > 0) {
    const aside = unreadable.map((line) => `${JSON.stringify(line)}\n`).join('');
    await writeFile(join(folder, 'unreadable.jsonl'), aside, { flag: 'a', mode: 0o600, flush: true });
  }
  return { records, unreadable, lineCount: lines.length, wholeBytes };
}

/** Writes a file anew. @returns its size, bytes */
export async function writeLetters(path: string, kept: readonly Kept[], at: number): Promise<number> {
  const file = await open(path, 'w', 0o600);
  try {
    let sizeBytes = 0;
    for (let from = 0; from < kept.length; from += COMPACT_CHUNK) {
      const lines = kept
        .slice(from, from + COMPACT_CHUNK)
        .map(({ letter, waiting }) => `${JSON.stringify({ op: 'put', at, waiting, letter })}\n`);
      const bytes = Buffer.from(lines.join(''));
      await file.appendFile(bytes);
      sizeBytes += bytes.length;
    }
    await file.sync();
    return sizeBytes;
  } finally {
    await file.close();
  }
}

function parseRecord(text: string): StoreRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
