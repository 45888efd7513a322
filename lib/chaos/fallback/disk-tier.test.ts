import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeLine } from '../storage/record-line.ts';
import { type CorruptRecord, DISK_TIER_DEFAULTS, DiskTier, type DiskTierOptions } from './disk-tier.ts';
import type { FallbackJob } from './fallback-job.ts';

const folders: string[] = [];
async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'disk-tier-'));
  folders.push(folder);
  return folder;
}
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

const makeJob = (id: string): FallbackJob => ({
  id,
  type: 'detection',
  payload: { camera: 'gate', name: `${id}.jpg` },
  traceId: `trace-${id}`,
  enqueuedAt: 1000,
  attempts: 1,
});

async function reopen(folder: string, options: Partial<DiskTierOptions> = {}) {
  const corrupt: CorruptRecord[] = [];
  const tier = await DiskTier.open(folder, { ...options, onCorrupt: (record) => corrupt.push(record) });
  return { tier, corrupt };
}

const idsIn = async (tier: DiskTier) => (await tier.peek(1000)).map((job) => job.id);
const logsIn = async (folder: string) =>
  (await readdir(folder)).filter((name) => name.endsWith('.log')).sort();

describe('DiskTier', () => {
  it('finds after a crash exactly what was pushed and not removed', async () => {
    const folder = await makeFolder();
    const { tier } = await reopen(folder, { segmentBytes: 400 });
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await tier.push(makeJob(id));
    await tier.remove(['b', 'd']);
    // Not closed: the process is gone, what it had fsynced is what there is.
    const { tier: after, corrupt } = await reopen(folder, { segmentBytes: 400 });
    expect(await after.peek(10)).toEqual(['a', 'c', 'e', 'f'].map(makeJob));
    expect(corrupt).toEqual([]);
    await Promise.all([tier.close(), after.close()]);
  });

  it('removes segments that hold nothing any more', async () => {
    const folder = await makeFolder();
    const { tier } = await reopen(folder, { segmentBytes: 200 });
    for (let n = 0; n < 20; n++) await tier.push(makeJob(`j${n}`));
    expect((await logsIn(folder)).length).toBeGreaterThan(5);
    await tier.remove([...tier.ids()]);
    expect((await logsIn(folder)).length).toBe(1);
    await tier.close();
    const { tier: after } = await reopen(folder);
    expect(after.size).toBe(0);
    await after.close();
  });

  it('cut at any byte, holds what the whole records before the cut say, and takes new jobs', async () => {
    const folder = await makeFolder();
    const { tier } = await reopen(folder);
    const lines: string[] = [];
    for (const [index, id] of ['a', 'b', 'c', 'd', 'e'].entries()) {
      await tier.push(makeJob(id));
      lines.push(encodeLine({ job: makeJob(id) }));
      if (index % 2 === 1) {
        await tier.remove([id]);
        lines.push(encodeLine({ removed: [id] }));
      }
    }
    await tier.close();
    const [name = ''] = await logsIn(folder);
    const written = await readFile(join(folder, name), 'utf8');
    expect(written).toBe(lines.join(''));

    await fc.assert(
      fc.asyncProperty(fc.nat(written.length), async (cut) => {
        const copy = await makeFolder();
        await cp(folder, copy, { recursive: true });
        await truncate(join(copy, name), cut);
        const expected: string[] = [];
        let offset = 0;
        for (const line of lines) {
          offset += line.length;
          if (offset > cut) break;
          const { job, removed } = JSON.parse(line.slice(9)) as { job?: { id: string }; removed?: string[] };
          if (job) expected.push(job.id);
          else expected.splice(expected.indexOf(removed?.[0] ?? ''), 1);
        }
        const { tier: after, corrupt } = await reopen(copy);
        expect(await idsIn(after)).toEqual(expected);
        const atBorder =
          lines.some((_, index) => lines.slice(0, index + 1).join('').length === cut) || cut === 0;
        expect(corrupt.map(({ why }) => why)).toEqual(atBorder ? [] : ['torn']);
        await after.push(makeJob('new'));
        await after.close();
        const again = await reopen(copy);
        expect(await idsIn(again.tier)).toEqual([...expected, 'new']);
        expect(again.corrupt).toEqual([]); // told once
        await again.tier.close();
      }),
      { numRuns: 30 },
    );
  });

  it('sets a damaged record aside, tells it once, and gives all others', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(5), fc.nat(60), async (which, at) => {
        const folder = await makeFolder();
        const { tier } = await reopen(folder);
        const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
        for (const id of ids) await tier.push(makeJob(id));
        await tier.close();
        const [name = ''] = await logsIn(folder);
        const bytes = await readFile(join(folder, name));
        const lineBytes = bytes.length / ids.length;
        const offset = which * lineBytes + at;
        bytes[offset] = (bytes[offset] ?? 0) ^ 0x01;
        await writeFile(join(folder, name), bytes);

        const { tier: after, corrupt } = await reopen(folder);
        expect(await idsIn(after)).toEqual(ids.filter((_, index) => index !== which));
        expect(corrupt).toMatchObject([{ segment: name, offset: which * lineBytes, why: 'checksum' }]);
        expect(await readFile(corrupt[0]?.setAside ?? '')).toEqual(
          bytes.subarray(which * lineBytes, (which + 1) * lineBytes),
        );
        await after.close();
        const again = await reopen(folder);
        expect(again.corrupt).toEqual([]);
        await again.tier.close();
      }),
      { numRuns: 15 },
    );
  });

  it('finds damage that happens while it runs, and never gives a damaged job', async () => {
    const folder = await makeFolder();
    const { tier, corrupt } = await reopen(folder);
    for (const id of ['a', 'b', 'c']) await tier.push(makeJob(id));
    const [name = ''] = await logsIn(folder);
    const bytes = await readFile(join(folder, name));
    bytes.fill(0x20, bytes.length / 3 + 20, bytes.length / 3 + 30);
    await writeFile(join(folder, name), bytes);
    expect(await idsIn(tier)).toEqual(['a', 'c']);
    expect(tier.ids()).toEqual(new Set(['a', 'c']));
    expect(corrupt).toMatchObject([{ why: 'checksum' }]);
    await tier.close();
  });

  it('sets aside a record of a shape it does not know', async () => {
    const folder = await makeFolder();
    await writeFile(
      join(folder, '00000001.log'),
      encodeLine({ job: { id: 7 } }) + encodeLine({ job: makeJob('a') }),
    );
    const { tier, corrupt } = await reopen(folder);
    expect(await idsIn(tier)).toEqual(['a']);
    expect(corrupt).toMatchObject([{ offset: 0, why: 'json' }]);
    expect(await readFile(corrupt[0]?.setAside ?? '', 'utf8')).toBe(encodeLine({ job: { id: 7 } }));
    await tier.close();
  });

  it('removes after a restart, too, the segments that hold nothing any more', async () => {
    const folder = await makeFolder();
    const { tier } = await reopen(folder, { segmentBytes: 200 });
    for (let n = 0; n < 6; n++) await tier.push(makeJob(`j${n}`));
    await tier.close();
    const { tier: after } = await reopen(folder, { segmentBytes: 200 });
    await after.remove(['j0', 'j1', 'j2', 'j3']);
    expect(await idsIn(after)).toEqual(['j4', 'j5']);
    await after.remove(['j4', 'j5']);
    expect((await logsIn(folder)).length).toBe(1);
    await after.close();
  });

  it('says so when it cannot be read', async () => {
    const folder = await makeFolder();
    const { tier } = await reopen(folder);
    await tier.push(makeJob('a'));
    await tier.close();
    await expect(tier.peek(1)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: `The disk tier cannot read ${folder}`,
      cause: { code: 'EBADF' },
    });
  });

  it('takes no other file for a segment of its own, and reads its own in order', async () => {
    const folder = await makeFolder();
    const line = (id: string) => encodeLine({ job: makeJob(id) });
    for (const [name, id] of [
      ['00000010.log', 'c'],
      ['00000009.log', 'b'],
      ['00000002.log', 'a'],
      ['0000003.log', 'short'],
      ['00000004.log.bak', 'copy'],
      ['x00000005.log', 'other'],
      ['00000000.log', 'zero'],
    ] as const) {
      await writeFile(join(folder, name), line(id));
    }
    const { tier } = await reopen(folder, { segmentBytes: 1 });
    expect(await idsIn(tier)).toEqual(['a', 'b', 'c']);
    await tier.push(makeJob('d'));
    expect(await logsIn(folder)).toContain('00000011.log');
    await tier.close();
  });

  it('keeps what it writes from other users', async () => {
    const folder = join(await makeFolder(), 'made', 'by', 'it');
    const { tier } = await reopen(folder);
    await tier.push(makeJob('a'));
    const [name = ''] = await logsIn(folder);
    const bytes = await readFile(join(folder, name));
    await writeFile(join(folder, name), bytes.fill(0x20, 20, 30));
    expect(await idsIn(tier)).toEqual([]);
    const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
    expect(await modeOf(join(folder, 'corrupt'))).toBe(0o700);
    expect(await modeOf(join(folder, 'corrupt', `${name}-0`))).toBe(0o600);
    await tier.close();
  });

  it('tells of damage also where its bytes cannot be set aside, and needs nobody who listens', async () => {
    const folder = await makeFolder();
    await writeFile(join(folder, '00000001.log'), encodeLine({ job: { id: 7 } }));
    const quiet = await DiskTier.open(folder);
    await quiet.close();
    const { tier, corrupt } = await reopen(folder);
    await tier.push(makeJob('a'));
    await rm(join(folder, 'corrupt'), { recursive: true });
    const bytes = await readFile(join(folder, '00000001.log'));
    await writeFile(join(folder, '00000001.log'), bytes.fill(0x20, bytes.length - 30, bytes.length - 20));
    expect(await idsIn(tier)).toEqual([]);
    expect(corrupt).toMatchObject([{ segment: '00000001.log', why: 'checksum' }]);
    await tier.close();
  });

  it('gives no job that another record has taken the place of', async () => {
    const folder = await makeFolder();
    const { tier, corrupt } = await reopen(folder);
    await tier.push(makeJob('a'));
    await writeFile(join(folder, '00000001.log'), encodeLine({ job: makeJob('b') }));
    expect(await idsIn(tier)).toEqual([]);
    expect(corrupt).toMatchObject([{ offset: 0, why: 'json' }]);
    await tier.close();
  });

  it('writes no note of what it does not hold', async () => {
    const folder = await makeFolder();
    const { tier } = await reopen(folder);
    await tier.push(makeJob('a'));
    const sizeBytes = async () => (await stat(join(folder, '00000001.log'))).size;
    const before = await sizeBytes();
    await tier.remove(['b']);
    expect(await sizeBytes()).toBe(before);
    await tier.remove(['a']);
    expect(await sizeBytes()).toBeGreaterThan(before);
    await tier.close();
  });

  it('lets go of a job even when the note of it cannot be written', async () => {
    const folder = await makeFolder();
    const { tier } = await reopen(folder, { segmentBytes: 1 });
    await tier.push(makeJob('a'));
    await promisify(execFile)('mkdir', [join(folder, '00000002.log')]);
    await tier.remove(['a']);
    expect([tier.size, await idsIn(tier)]).toEqual([0, []]);
    await tier.close();
    await rm(join(folder, '00000002.log'), { recursive: true });
    const { tier: after } = await reopen(folder);
    expect(await idsIn(after)).toEqual(['a']); // comes again, which its id makes harmless
    await after.close();
  });

  it('makes one new segment for jobs that come at once, and closes what is being made', async () => {
    const folder = await makeFolder();
    const { tier } = await reopen(folder);
    await Promise.all(['a', 'b', 'c'].map((id) => tier.push(makeJob(id))));
    expect(await logsIn(folder)).toEqual(['00000001.log']);
    await tier.close();
    const { tier: other } = await reopen(await makeFolder());
    const push = other.push(makeJob('a')).catch((error: unknown) => error);
    await other.close();
    await expect(push).resolves.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it.each([
    ['max', 0],
    ['segmentBytes', 0],
    ['segmentBytes', 1.5],
  ])('refuses %s of %s', async (name, value) => {
    await expect(DiskTier.open(await makeFolder(), { [name]: value })).rejects.toThrow(
      new RangeError(`Expected ${name} to be a whole number from 1, got ${value}`),
    );
  });

  it('holds 10 000 jobs in segments of 1 MiB, unless told otherwise', () => {
    expect(DISK_TIER_DEFAULTS).toMatchObject({ max: 10_000, segmentBytes: 2 ** 20 });
  });

  it('keeps its bound over a restart', async () => {
    const folder = await makeFolder();
    const { tier } = await reopen(folder, { max: 2 });
    await tier.push(makeJob('a'));
    await tier.push(makeJob('b'));
    await tier.close();
    const { tier: after } = await reopen(folder, { max: 2 });
    await expect(after.push(makeJob('c'))).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    await after.close();
  });

  it('refuses a push after it was closed', async () => {
    const folder = await makeFolder();
    const { tier } = await reopen(folder);
    await tier.close();
    await expect(tier.push(makeJob('a'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: `The disk tier ${folder} is closed`,
    });
  });

  it('refuses when a segment cannot be made, and takes jobs again once it can', async () => {
    const folder = await makeFolder();
    const { tier } = await reopen(folder);
    const inner = join(folder, '00000001.log');
    await promisify(execFile)('mkdir', [inner]); // its name is taken by something that is no file
    await expect(tier.push(makeJob('a'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: `The disk tier cannot write to ${folder}`,
      cause: { code: 'EISDIR' },
    });
    expect(tier.size).toBe(0);
    await rm(inner, { recursive: true });
    await tier.push(makeJob('a'));
    expect(await idsIn(tier)).toEqual(['a']);
    await tier.close();
  });

  it('at the end of space refuses with the system error, keeps nothing of the write, and all that it took before', async () => {
    const folder = await makeFolder();
    // A process whose files may not grow beyond 2 blocks of 512 bytes: a real write that ends in the middle of a record.
    const program = `
      import { DiskTier } from ${JSON.stringify(new URL('./disk-tier.ts', import.meta.url).pathname)};
      const tier = await DiskTier.open(${JSON.stringify(folder)});
      const job = (id) => ({ id, type: 'detection', payload: { text: 'x'.repeat(60) }, traceId: 't', enqueuedAt: 1, attempts: 0 });
      const taken = [];
      let refusal;
      for (let n = 0; n < 20; n++) {
        try { await tier.push(job('j' + n)); taken.push('j' + n); } catch (error) { refusal ??= [error.code, error.cause.code]; }
      }
      console.log(JSON.stringify({ taken, refusal, size: tier.size, held: (await tier.peek(99)).map((each) => each.id) }));
      await tier.close();
    `;
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      'ulimit -f 2; exec "$0" --input-type=module -e "$1"',
      process.execPath,
      program,
    ]);
    const { taken, refusal, size, held } = JSON.parse(stdout) as Record<string, string[]>;
    expect(refusal).toEqual(['STORE_UNAVAILABLE', 'EFBIG']);
    expect(taken?.length).toBeGreaterThan(2);
    expect(taken?.length).toBeLessThan(20);
    expect(held).toEqual(taken);
    expect(size).toBe(taken?.length);
    const { tier, corrupt } = await reopen(folder);
    expect(await idsIn(tier)).toEqual(taken);
    expect(corrupt).toEqual([]);
    await tier.push(makeJob('after'));
    await tier.close();
    expect((await stat(join(folder, '00000001.log'))).size).toBeGreaterThan(0);
  });
});
