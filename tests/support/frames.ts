import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..', 'fixtures', 'camera-frames');
const FILES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.jpg'))
  .toSorted();

/** One of the dozen real frames; the number wraps around. */
export function frameNumber(number: number): Buffer {
  const name = FILES[number % FILES.length];
  if (!name) throw new Error(`No frames in ${FOLDER}`);
  return readFileSync(join(FOLDER, name));
}
