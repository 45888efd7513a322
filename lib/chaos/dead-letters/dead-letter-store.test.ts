import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import type { DlqGroup, DeadLetter as ProtocolLetter } from '#lib/protocol/dead-letters.ts';
import type { DlqStatus } from '#lib/protocol/state.ts';
import { ManualClock } from '../clock.ts';
import { type DeadLetter, type DeadLetterInput, deadLetterId } from './dead-letter.ts';
import {
  type DeadLetterPage,
  type DeadLetterStatus,
  DeadLetterStore,
  type DeadLetterStoreOptions,
} from './dead-letter-store.ts';
import type { LetterGroup } from './letter-groups.ts';
import { signatureOf } from './signature.ts';

const folders: string[] = [];
const stores: DeadLetterStore[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

async function makeFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'dlq-'));
  folders.push(folder);
  return folder;
}

async function openStore(folder: string, options: Partial<DeadLetterStoreOptions> = {}) {
  const unreadable: string[] = [];
  const store = await DeadLetterStore.open(folder, {
    clock: new ManualClock(1000),
    onUnreadable: ({ why }) => unreadable.push(why),
    ...options,
  });
  stores.push(store);
  return { store, unreadable };
}

const makeStore = async (options: Partial<DeadLetterStoreOptions> = {}) => {
  const folder = await makeFolder();
  return { folder, ...(await openStore(folder, options)) };
};

function makeInput(key: string, overrides: Partial<DeadLetterInput> = {}): DeadLetterInput {
  return {
    key,
    queue: 'detection',
    uploadId: `upload-${key}`,
    error: { code: 'HTTP_500', message: 'detector answered 500', status: 500 },
    traceId: 't',
    payload: { camera: 'gate' },
    ...overrides,
  };
}

const idsOf = (page: DeadLetterPage) => page.items.map(({ id }) => id);
const allIds = (store: DeadLetterStore) => idsOf(store.list({ limit: 1000 }));

describe('DeadLetterStore', () => {
  it('keeps a letter over a restart, in the shape of the protocol', async () => {
    expectTypeOf<DeadLetter>().toExtend<Omit<ProtocolLetter, 'redrivable'>>();
    expectTypeOf<LetterGroup>().toEqualTypeOf<DlqGroup>();
    expectTypeOf<DeadLetterStatus>().toExtend<Omit<DlqStatus, 'tasks' | 'blocked'>>();
    const { folder, store } = await makeStore();
    const letter = await store.put(
      makeInput('a', {
        attempts: 3,
        delaysMs: [1000, 2000],
        firstFailedAt: 10,
        lastFailedAt: 20,
        faultIds: ['f1'],
      }),
    );
    expect(letter).toEqual({
      id: deadLetterId('a'),
      queue: 'detection',
      uploadId: 'upload-a',
      error: { code: 'HTTP_500', message: 'detector answered 500', status: 500 },
      attempts: 3,
      delaysMs: [1000, 2000],
      firstFailedAt: 10,
      lastFailedAt: 20,
      faultIds: ['f1'],
      traceId: 't',
      signature: 'HTTP_500 500: detector answered <n>',
      payload: { camera: 'gate' },
      redrives: 0,
    });
    const { store: after, unreadable } = await openStore(folder);
    expect(after.get(letter.id)).toEqual(letter);
    expect(unreadable).toEqual([]);
    expect(after.status()).toEqual({
      count: 1,
      byQueue: { detection: 1 },
      newestAt: 20,
      newest: [
        { id: letter.id, queue: 'detection', error: 'detector answered 500', at: 20, uploadId: 'upload-a' },
      ],
    });
  });

  it('takes the same key once, also when all come at once, and cuts a long body', async () => {
    const { folder, store } = await makeStore();
    const heard = vi.fn();
    store.on('deadLettered', heard);
    const error = { code: 'HTTP_500', message: 'x', body: 'y'.repeat(5000) };
    await Promise.all([1, 2, 3].map(() => store.put(makeInput('a', { error }))));
    expect(heard).toHaveBeenCalledTimes(1);
    expect(store.size).toBe(1);
    expect(store.get(deadLetterId('a'))?.error.body).toHaveLength(2048);
    expect((await readFile(join(folder, 'letters.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(1);
  });

  it('pages newest first, by filter, and a letter that arrives meanwhile shifts no page', async () => {
    const { store } = await makeStore();
    for (let n = 0; n < 5; n++) await store.put(makeInput(`d${n}`, { faultIds: n % 2 ? ['f1'] : ['f2'] }));
    await store.put(makeInput('x', { queue: 'analysis', error: { code: 'BAD_JSON', message: 'no score' } }));
    const first = store.list({ queue: 'detection', limit: 2 });
    expect([idsOf(first), first.total]).toEqual([['d4', 'd3'].map(deadLetterId), 5]);
    await store.put(makeInput('late'));
    const second = store.list({ queue: 'detection', limit: 2, cursor: first.nextCursor ?? '' });
    expect(idsOf(second)).toEqual(['d2', 'd1'].map(deadLetterId));
    const third = store.list({ queue: 'detection', limit: 2, cursor: second.nextCursor ?? '' });
    expect([idsOf(third), third.nextCursor]).toEqual([[deadLetterId('d0')], null]);
    expect(idsOf(store.list({ faultId: 'f1', limit: 9 }))).toEqual(['d3', 'd1'].map(deadLetterId));
    expect(idsOf(store.list({ signature: 'BAD_JSON: no score', limit: 9 }))).toEqual([deadLetterId('x')]);
    expect(store.list({ queue: 'upload', limit: 9 })).toEqual({ items: [], nextCursor: null, total: 0 });
  });

  it('hides a re-driven letter; failing again it is the same letter with its history', async () => {
    const { folder, store } = await makeStore();
    const id = deadLetterId('a');
    await store.put(makeInput('a', { attempts: 3, firstFailedAt: 10, faultIds: ['f1'], delaysMs: [1000] }));
    await expect(store.markRedriven(id)).resolves.toBe(true);
    await expect(store.markRedriven(id)).resolves.toBe(false);
    expect([store.size, store.get(id), [...store.ids()]]).toEqual([0, undefined, []]);
    const { store: after } = await openStore(folder);
    await after.put(makeInput('a', { attempts: 1, firstFailedAt: 90, faultIds: ['f2'], delaysMs: [0] }));
    expect(after.get(id)).toMatchObject({
      attempts: 4,
      firstFailedAt: 10,
      lastFailedAt: 1000,
      faultIds: ['f1', 'f2'],
      delaysMs: [1000, 0],
      redrives: 1,
    });
  });

  it('gives a letter back once, and leaves it waiting when that fails', async () => {
    const { store } = await makeStore();
    const { id } = await store.put(makeInput('a'));
    const away = () => Promise.reject(new Error('Redis is away'));
    await expect(store.redrive(id, away)).rejects.toThrow('Redis is away');
    expect(store.get(id)).toMatchObject({ redrives: 0 });
    expect(store.holds(id)).toBe(true);
    const given = Promise.withResolvers<void>();
    const give = vi.fn(() => given.promise);
    const first = store.redrive(id, give);
    expect(store.holds(id)).toBe(false); // its job may run already
    await expect(store.redrive(id, give)).resolves.toBe(false);
    given.resolve();
    await expect(first).resolves.toBe(true);
    expect(store.holds(id)).toBe(false);
    expect(give).toHaveBeenCalledTimes(1);
    expect(store.get(id)).toBeUndefined();
    await expect(store.redrive(id, give)).resolves.toBe(false);
  });

  it('keeps a letter waiting whose job fails again before it was known to be given back', async () => {
    const { folder, store } = await makeStore();
    const { id } = await store.put(makeInput('a', { attempts: 3 }));
    await store.redrive(id, async () => {
      await store.put(makeInput('a', { attempts: 1 }));
    });
    expect(store.get(id)).toMatchObject({ attempts: 4, redrives: 1 });
    expect((await openStore(folder)).store.get(id)).toMatchObject({ attempts: 4, redrives: 1 });
  });

  it('removes what is purged or resolved, for good, and tells it', async () => {
    const { folder, store } = await makeStore();
    const told: unknown[] = [];
    store.on('purged', ({ letter, reason }) => told.push(['purged', letter.id, reason]));
    store.on('resolved', ({ letter, by }) => told.push(['resolved', letter.id, by]));
    store.on('redriven', ({ letter }) => told.push(['redriven', letter.id]));
    for (const key of ['a', 'b', 'c']) await store.put(makeInput(key));
    const [a, b, c] = ['a', 'b', 'c'].map(deadLetterId) as [string, string, string];
    await expect(store.purge(a, 'test frame')).resolves.toBe(true);
    await expect(store.purge(a, 'test frame')).resolves.toBe(false);
    await store.markRedriven(b);
    expect(store.idsOfUpload('upload-b')).toEqual([b]);
    await expect(store.markResolved(b, 'upload-b')).resolves.toBe(true);
    await expect(store.markResolved(b, 'upload-b')).resolves.toBe(false);
    expect(told).toEqual([
      ['purged', a, 'test frame'],
      ['redriven', b],
      ['resolved', b, 'upload-b'],
    ]);
    const { store: after } = await openStore(folder);
    expect(allIds(after)).toEqual([c]);
    expect([...after.ids()]).toEqual(['upload-c']);
    expect(after.idsOfUpload('upload-b')).toEqual([]);
  });

  it('says as what it was sent again, over a restart and a new file; not of a letter that it does not know', async () => {
    const { folder, store } = await makeStore({ compactAfter: 0 });
    const { id } = await store.put(makeInput('a', { uploadId: null }));
    expect(store.get(id)?.resentAs).toBeUndefined();
    expect(await store.link(id, 'upload-2')).toBe(true);
    expect(await store.link(deadLetterId('nobody'), 'upload-2')).toBe(false);
    expect(store.get(id)?.resentAs).toBe('upload-2');
    await store.put(makeInput('b'));
    const again = await openStore(folder);
    expect(again.store.get(id)?.resentAs).toBe('upload-2');
  });

  it('has no upload id for what was never accepted', async () => {
    const { store } = await makeStore();
    await store.put(makeInput('partial', { uploadId: null, queue: 'upload' }));
    expect([store.size, store.ids().size]).toEqual([1, 0]);
  });

  it('cut at any byte, holds what the whole lines before the cut say, tells the torn one once, and goes on', async () => {
    const { folder, store } = await makeStore();
    const file = 'letters.jsonl';
    const expectedAt: [number, string[]][] = [[0, []]];
    const note = async () => expectedAt.push([(await stat(join(folder, file))).size, allIds(store)]);
    for (const key of ['a', 'b', 'c']) {
      await store.put(makeInput(key));
      await note();
    }
    await store.markRedriven(deadLetterId('a'));
    await note();
    await store.purge(deadLetterId('b'), 'test');
    await note();
    const whole = await readFile(join(folder, file));
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), async (cut) => {
        const copy = await makeFolder();
        await writeFile(join(copy, file), whole);
        await truncate(join(copy, file), cut);
        const [bytes, expected] = expectedAt.findLast(([end]) => end <= cut) ?? [0, []];
        const { store: after, unreadable } = await openStore(copy);
        expect(allIds(after)).toEqual(expected);
        expect(unreadable).toEqual(bytes === cut ? [] : ['torn']);
        await after.put(makeInput('new'));
        const again = await openStore(copy);
        expect(allIds(again.store)).toEqual([deadLetterId('new'), ...expected]);
        expect(again.unreadable).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  it('skips a damaged line in the middle, keeps it aside and tells it once', async () => {
    const { folder, store } = await makeStore();
    for (const key of ['a', 'b', 'c']) await store.put(makeInput(key));
    const path = join(folder, 'letters.jsonl');
    const lines = (await readFile(path, 'utf8')).split('\n');
    lines[1] = '{"op":"put","letter":{"id":7}}';
    await writeFile(path, lines.join('\n'));
    const { store: after, unreadable } = await openStore(folder);
    expect(allIds(after)).toEqual([deadLetterId('c'), deadLetterId('a')]);
    expect(unreadable).toEqual(['invalid']);
    expect(await readFile(join(folder, 'unreadable.jsonl'), 'utf8')).toContain(
      JSON.stringify(lines[1]).slice(1, -1),
    );
    expect((await openStore(folder)).unreadable).toEqual([]);
  });

  it('writes its file anew when most of it is history, and keeps order and re-driven letters', async () => {
    const { folder, store } = await makeStore({ compactAfter: 20 });
    for (const key of ['a', 'b', 'c']) await store.put(makeInput(key));
    await store.markRedriven(deadLetterId('b'));
    await store.markRedriven(deadLetterId('a'));
    await store.put(makeInput('a')); // failed again: the newest now
    for (let n = 0; n < 60; n++) {
      await store.put(makeInput('churn'));
      await store.purge(deadLetterId('churn'), 'again');
    }
    const lines = (await readFile(join(folder, 'letters.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.length).toBeLessThan(25);
    await store.put(makeInput('last'));
    const { store: after } = await openStore(folder);
    expect(allIds(after)).toEqual(['last', 'a', 'c'].map(deadLetterId));
    await after.put(makeInput('b'));
    expect(after.get(deadLetterId('b'))?.redrives).toBe(1);
  });

  it('refuses beyond its cap, and takes again when one has left', async () => {
    const { store } = await makeStore({ max: 2 });
    await store.put(makeInput('a'));
    await store.put(makeInput('b'));
    await expect(store.put(makeInput('c'))).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    await expect(store.put(makeInput('a'))).resolves.toMatchObject({ id: deadLetterId('a') });
    await store.purge(deadLetterId('a'), 'room');
    await store.put(makeInput('c'));
    expect(store.size).toBe(2);
  });

  it('marks what waits now: what arrives later, or comes back, is not among it, nor in another life', async () => {
    const { folder, store } = await makeStore();
    const [a, b, c] = ['a', 'b', 'c'].map(deadLetterId) as [string, string, string];
    await store.put(makeInput('a'));
    await store.put(makeInput('b'));
    const mark = store.mark();
    await store.put(makeInput('c'));
    await store.markRedriven(a);
    await store.put(makeInput('a'));
    const ids = (given?: string) => [...store.matching({}, given)].map(({ id }) => id);
    expect(ids(mark)).toEqual([b]);
    expect(ids()).toEqual([a, c, b]);
    expect([store.knowsMark(mark), store.knowsMark('00000000-9')]).toEqual([true, false]);
    expect(ids('00000000-9')).toEqual([]);
    expect((await openStore(folder)).store.knowsMark(mark)).toBe(false);
  });

  it('gives its letters as lines in parts, none twice and none left out, whatever arrives meanwhile', async () => {
    const { store } = await makeStore();
    for (let n = 0; n < 9; n++) await store.put(makeInput(`d${n}`, n % 3 === 0 ? { queue: 'analysis' } : {}));
    const request = { queue: 'detection', mark: store.mark() };
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const part = store.lines({ ...request, cursor }, 600);
      expect(part.text.endsWith('\n')).toBe(true);
      seen.push(
        ...part.text
          .trimEnd()
          .split('\n')
          .map((line) => (JSON.parse(line) as DeadLetter).id),
      );
      cursor = part.nextCursor ?? undefined;
      await store.put(makeInput(`late${seen.length}`));
    } while (cursor !== undefined);
    expect(seen).toEqual(['d8', 'd7', 'd5', 'd4', 'd2', 'd1'].map(deadLetterId));
    expect(store.lines({ queue: 'upload', mark: request.mark }, 600)).toEqual({ text: '', nextCursor: null });
  });

  it('purges many with one write, for good, and tells nothing of each', async () => {
    const { folder, store } = await makeStore();
    const told = vi.fn();
    store.on('purged', told);
    for (const key of ['a', 'b', 'c', 'd']) await store.put(makeInput(key));
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(deadLetterId) as [string, string, string, string];
    await store.markRedriven(b);
    await store.redrive(d, async () => {
      expect(await store.purgeMany([a, b, d, 'dl_nobody'], 'old frames')).toBe(1);
    });
    expect(told).not.toHaveBeenCalled();
    expect(allIds(store)).toEqual([c]);
    expect(allIds((await openStore(folder)).store)).toEqual([c]);
    const lines = (await readFile(join(folder, 'letters.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.filter((line) => line.includes('old frames'))).toHaveLength(1);
  });

  it('remembers so many re-driven letters, the newest', async () => {
    const { store } = await makeStore({ redrivenMax: 2 });
    for (const key of ['a', 'b', 'c']) {
      await store.put(makeInput(key));
      await store.markRedriven(deadLetterId(key));
    }
    expect((await store.put(makeInput('a'))).redrives).toBe(0);
    expect((await store.put(makeInput('c'))).redrives).toBe(1);
  });

  it('refuses writes after it was closed', async () => {
    const { store } = await makeStore();
    await store.close();
    await expect(store.put(makeInput('a'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(store.size).toBe(0);
  });
});

describe('signatureOf', () => {
  const sign = (message: string) => signatureOf({ code: 'E', message });

  it.each([
    ['connect ECONNREFUSED 127.0.0.1:20481', 'connect ECONNREFUSED 127.0.0.1:20999'],
    [
      'upload 01JD3Z8E6XK5T1M2N3P4Q5R6S7 failed after 3 attempts',
      'upload 01JD3Z8E6XK5T1M2N3P4Q5R6S8 failed after 4 attempts',
    ],
    ['no file "/data/inbox/a.jpg"', 'no file "/data/inbox/b.jpg"'],
    ['open /data/inbox/a-1.jpg', 'open /data/media/b-22.jpg'],
    ['job 0b0e2f0e-8f4e-4a57-9d6b-0c1d2e3f4a5b', 'job 7c9e6679-7425-40de-944b-e07fc1f90ae7'],
    ['READONLY [brownout:f1]', 'READONLY [brownout:f2]'],
    ['took 3021.5 ms', 'took 40 ms'],
    ['GET http://127.0.0.1:1/x failed', 'GET http://127.0.0.1:2/y failed'],
  ])('is the same for %j and %j', (one, other) => {
    expect(sign(one)).toBe(sign(other));
  });

  it('differs by code, status and kind of message', () => {
    const signatures = [
      signatureOf({ code: 'A', message: 'x' }),
      signatureOf({ code: 'B', message: 'x' }),
      signatureOf({ code: 'A', message: 'y' }),
      signatureOf({ code: 'A', message: 'x', status: 500 }),
      signatureOf({ code: 'A', message: 'x', status: 503 }),
    ];
    expect(new Set(signatures).size).toBe(5);
    expect(sign('x'.repeat(999))).toHaveLength(200);
  });
});
