import { readdirSync } from 'node:fs';
import { defineFaultType, type FaultType } from './define.ts';

/**
 * Loads every fault type of a folder, one to a file: the file `slow-close.ts` exports the type `slow_close` as its
 * default. They are given in the order in which they are offered.
 *
 * @throws {TypeError} for a file whose default export is not the type that its name says, or is declared badly
 * @throws {RangeError} for a default out of its range
 */
export async function loadFaultTypes(folder: URL): Promise<readonly FaultType[]> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const types = await Promise.all(files.sort().map((file) => loadFaultType(folder, file)));
  return types.sort((a, b) => (a.order ?? Number.MAX_SAFE_INTEGER) - (b.order ?? Number.MAX_SAFE_INTEGER));
}

async function loadFaultType(folder: URL, file: string): Promise<FaultType> {
  const { default: declared }: { default?: FaultType } = await import(new URL(file, folder).href);
  const type = file.slice(0, -'.ts'.length).replaceAll('-', '_');
  if (declared?.type !== type) {
    throw new TypeError(`Expected the default export of ${file} to be the fault type "${type}"`);
  }
  return defineFaultType(declared);
}
