import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monotonicFactory } from 'ulid';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../logging.ts';
import { AppendLog } from './append-log.ts';
import { type IntakeRecord, IntakeRecords } from './intake-records.ts';

const logger = createLogger('test', 'silent');
const nextId = monotonicFactory();
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'brownout-records-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function makeRecord(acceptedAt: number): IntakeRecord {
  const id = nextId(acceptedAt);
  return {
    id,
    camera: 'cam-01',
    name: 'ä b.jpg',
    extension: 'jpg',
    sizeBytes: 5,
    acceptedAt,
    traceId: `t-${id}`,
  };
}

describe('IntakeRecords', () => {
  it('finds each record again over segments, restarts and the end of its memory', async () => {
    const records = new IntakeRecords(folder, logger, 10);
    await records.open();
    const made = Array.from({ length: 35 }, (_, n) => makeRecord(1_700_000_000_000 + n));
    for (const record of made) await records.append(record);
    await records.close();
    expect((await readdir(folder)).length).toBe(4);

    const again = new IntakeRecords(folder, logger, 10);
    await again.open();
    expect([...again.ids]).toEqual(made.map(({ id, acceptedAt }) => [id, acceptedAt]));
    expect(again.damaged).toBe(false);
    const later = makeRecord(1_700_000_001_000);
    await again.append(later);
    for (const record of [...made, later]) expect(await again.find(record.id)).toEqual(record);
    expect(await again.find(nextId(1))).toBeUndefined();
    await again.close();
  });

  it('finds a record that is no longer in memory', async () => {
    const records = new IntakeRecords(folder, logger, 10_000);
    await records.open();
    const first = makeRecord(1_700_000_000_000);
    await records.append(first);
    await Promise.all(
      Array.from({ length: 20_001 }, (_, n) => records.append(makeRecord(1_700_000_000_001 + n))),
    );
    expect(await records.find(first.id)).toEqual(first);
    expect(records.ids.size).toBe(20_002);
    await records.close();
  });

  it('drops a torn last line, and says when another line is spoilt', async () => {
    const records = new IntakeRecords(folder, logger);
    await records.open();
    const [one, two] = [makeRecord(1_700_000_000_000), makeRecord(1_700_000_000_001)];
    await records.append(one);
    await records.close();
    const path = join(folder, 'records-00000001.jsonl');
    await appendFile(path, '{"id":"01');
    const torn = new IntakeRecords(folder, logger);
    await torn.open();
    expect(torn.damaged).toBe(false);
    await torn.append(two);
    await torn.close();
    expect(await readFile(path, 'utf8')).toBe(`${JSON.stringify(one)}\n${JSON.stringify(two)}\n`);

    await writeFile(path, `{"id":"01\n${JSON.stringify(two)}\n`);
    const spoilt = new IntakeRecords(folder, logger);
    await spoilt.open();
    expect(spoilt.damaged).toBe(true);
    expect([...spoilt.ids.keys()]).toEqual([two.id]);
    await spoilt.close();
  });
});

describe('AppendLog', () => {
  it('keeps lines whole and in order under concurrent appends', async () => {
    const log = await AppendLog.open(join(folder, 'log'));
    const lines = Array.from({ length: 500 }, (_, n) => `line ${n} ${'x'.repeat(n)}`);
    await Promise.all(lines.map((line) => log.append(line)));
    expect((await readFile(join(folder, 'log'), 'utf8')).trimEnd().split('\n')).toEqual(lines);
    expect(log.sizeBytes).toBe((await readFile(join(folder, 'log'))).length);
    await log.close();
    await expect(log.append('too late')).rejects.toThrow();
  });

  it.runIf(process.platform === 'linux')('rejects what the disk does not take', async () => {
    const log = await AppendLog.open('/dev/full');
    await expect(log.append('no room')).rejects.toMatchObject({ code: 'ENOSPC' });
    await log.close();
  });
});
