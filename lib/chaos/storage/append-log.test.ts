import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { AppendLog } from './append-log.ts';
import { decodeLine, decodeLines, encodeLine } from './record-line.ts';

const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});
async function makePath() {
  const folder = await mkdtemp(join(tmpdir(), 'log-'));
  folders.push(folder);
  return join(folder, 'a.log');
}

describe('AppendLog', () => {
  it('appends in the order of the calls and gives each its offset', async () => {
    const path = await makePath();
    const log = await AppendLog.open(path, 0);
    const texts = Array.from({ length: 50 }, (_, n) => `record ${n} ü\n`);
    const offsets = await Promise.all(texts.map((text, n) => log.append(text, n % 2 === 0)));
    expect(await readFile(path, 'utf8')).toBe(texts.join(''));
    for (const [n, text] of texts.entries()) {
      const bytes = Buffer.byteLength(text);
      expect((await log.read(offsets[n] ?? -1, bytes)).toString()).toBe(text);
    }
    expect(log.sizeBytes).toBe(Buffer.byteLength(texts.join('')));
    await log.close();
  });

  it('goes on behind what is good, and cuts off the rest', async () => {
    const path = await makePath();
    await writeFile(path, 'good\ntorn');
    const log = await AppendLog.open(path, 5);
    await log.append('next\n', true);
    await log.close();
    expect(await readFile(path, 'utf8')).toBe('good\nnext\n');
  });

  it('writes what was asked before it closes, and refuses after', async () => {
    const path = await makePath();
    const log = await AppendLog.open(path, 0);
    const appended = log.append('last\n', true);
    await Promise.all([log.close(), log.close()]);
    await appended;
    expect(await readFile(path, 'utf8')).toBe('last\n');
    await expect(log.append('late\n', true)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('gives what there is when a file is shorter than the read', async () => {
    const path = await makePath();
    const log = await AppendLog.open(path, 0);
    await appendFile(path, 'abc');
    expect((await log.read(1, 10)).toString()).toBe('bc');
    await log.close();
  });
});

describe('record line', () => {
  it('gives back any value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.parse(JSON.stringify(value)) as unknown;
        expect(decodeLine(Buffer.from(encodeLine(value)))).toMatchObject({ ok: true, value: json });
      }),
    );
  });

  it('reads whole records around damaged ones, whatever the damage', () => {
    fc.assert(
      fc.property(fc.nat(400), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const values = ['one', 'two', 'three', 'four'].map((name) => ({ name, text: 'x'.repeat(60) }));
        const bytes = Buffer.from(values.map(encodeLine).join(''));
        const offset = at % bytes.length;
        bytes[offset] = (bytes[offset] ?? 0) ^ change;
        const good = [...decodeLines(bytes)].filter((line) => line.ok).map((line) => line.value);
        // A damaged line feed takes the next record with it, never more.
        expect(good.length).toBeGreaterThanOrEqual(2);
        expect(good.length).toBeLessThanOrEqual(3);
        for (const value of good) expect(values).toContainEqual(value);
      }),
    );
  });
});
