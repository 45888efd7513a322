import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import { type DeadLetterInput, deadLetterId } from '#lib/chaos/dead-letters/dead-letter.ts';
import { DeadLetterStore } from '#lib/chaos/dead-letters/dead-letter-store.ts';
import type { DeadLetter, LetterTask } from '#lib/protocol/dead-letters.ts';
import { DeadLetterCommands } from './dead-letter-commands.ts';
import { DroppedUploads } from './dropped-uploads.ts';

let folder: string;
const opened: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'brownout-commands-'));
});
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
  await rm(folder, { recursive: true, force: true });
});

async function makeCommands() {
  const clock = new ManualClock();
  const store = await DeadLetterStore.open(folder, { clock });
  const dropped = await DroppedUploads.open(join(folder, 'dropped.jsonl'));
  const given: { id: string; atMs: number }[] = [];
  const discarded: string[] = [];
  const told: LetterTask[] = [];
  const blocked = new Map<string, string>();
  const commands = new DeadLetterCommands({
    store,
    dropped,
    intake: () => ({ discard: async (id) => void discarded.push(id) }),
    redrive: (id) => store.redrive(id, async () => void given.push({ id, atMs: clock.monotonicMs() })),
    blockedBy: (queue) => blocked.get(queue) ?? null,
    onTask: (task) => told.push(task),
    clock,
  });
  opened.push(store, commands);
  const put = (key: string, more: Partial<DeadLetterInput> = {}) =>
    store.put({
      key,
      queue: 'detection',
      uploadId: `u-${key}`,
      error: { code: 'HTTP_STATUS', message: 'answered 500' },
      traceId: 't',
      payload: { retryable: false, job: { id: key } },
      ...more,
    });
  /** Moves the clock until the tasks have ended. */
  const untilEnded = () =>
    vi.waitFor(
      () => {
        clock.advance(20);
        expect(commands.status().tasks.every(({ endedAt }) => endedAt !== null)).toBe(true);
      },
      { timeout: 10_000, interval: 2 },
    );
  return { clock, store, dropped, given, discarded, told, blocked, commands, put, untilEnded };
}

const PARTIAL: Partial<DeadLetterInput> = { queue: 'upload', uploadId: null, payload: { retryable: false } };

describe('DeadLetterCommands', () => {
  it('shows pages and groups, saying what can be given back, and changes nothing by it', async () => {
    const { commands, put } = await makeCommands();
    await put('a', { faultIds: ['f1'] });
    await put('b', { error: { code: 'TIMEOUT', message: 'no answer' } });
    await put('c', PARTIAL);
    const file = join(folder, 'letters.jsonl');
    const before = await readFile(file, 'utf8');
    const { items, total } = await commands.list({ limit: 2 });
    expect([items.map(({ id, redrivable }) => [id, redrivable]), total]).toEqual([
      [
        [deadLetterId('c'), false],
        [deadLetterId('b'), true],
      ],
      3,
    ]);
    expect((await commands.list({ limit: 9, signature: 'TIMEOUT: no answer' })).total).toBe(1);
    const groups = await commands.groups({ queue: 'detection' });
    expect(groups).toMatchObject({ looked: 2, total: 2, faults: [{ id: 'f1', count: 1 }] });
    expect(groups.groups).toHaveLength(2);
    expect((await commands.groups({ faultId: 'f1' })).total).toBe(1);
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  it('gives many back at the rate that was asked for, the oldest first', async () => {
    const { commands, given, put, untilEnded } = await makeCommands();
    for (const key of ['a', 'b', 'c']) await put(key);
    expect(await commands.redrive({ queue: 'detection', ratePerSecond: 2, by: 'Ana' })).toMatchObject({
      accepted: 3,
      tasks: [{ queue: 'detection', by: 'Ana', total: 3, ratePerSecond: 2 }],
      refused: [],
    });
    await untilEnded();
    expect(given.map(({ id }) => id)).toEqual(['a', 'b', 'c'].map(deadLetterId));
    const gaps = given.slice(1).map(({ atMs }, index) => atMs - (given[index]?.atMs ?? 0));
    expect(Math.min(...gaps), 'ms between two').toBeGreaterThanOrEqual(480);
    expect((await commands.list({ limit: 9 })).total).toBe(0);
  });

  it('takes each queue as a task of its own, leaving out what is down or has one, and says so', async () => {
    const { commands, blocked, put } = await makeCommands();
    await put('a');
    await put('b', { queue: 'analysis' });
    await put('c', PARTIAL);
    blocked.set('analysis', 'the nemotron breaker is OPEN');
    const first = await commands.redrive({ by: 'Ana', ratePerSecond: 0.1 });
    expect(first).toMatchObject({
      accepted: 1,
      tasks: [{ queue: 'detection' }],
      refused: [{ queue: 'analysis', code: 'BREAKER_OPEN', why: 'the nemotron breaker is OPEN' }],
    });
    expect(commands.status()).toMatchObject({
      count: expect.any(Number),
      blocked: { analysis: 'the nemotron breaker is OPEN' },
    });
    await put('d');
    await put('e');
    await commands.redrive({ queue: 'detection', ratePerSecond: 0.1, by: 'Ana' });
    const second = await commands.redrive({ queue: 'detection', by: 'Bo' });
    expect(second).toMatchObject({ accepted: 0, refused: [{ queue: 'detection', code: 'TASK_RUNNING' }] });
    expect(second.refused[0]?.why).toContain('by Ana');
  });

  it('gives one back at once; refuses while its target is down, and what was never accepted', async () => {
    const { commands, blocked, given, put } = await makeCommands();
    const [a, c] = [await put('a'), await put('c', PARTIAL)];
    blocked.set('detection', 'the yolo26 breaker is OPEN');
    expect((await commands.redrive({ ids: [a.id] })).refused).toMatchObject([{ code: 'BREAKER_OPEN' }]);
    blocked.clear();
    expect((await commands.redrive({ ids: [c.id] })).refused).toMatchObject([{ code: 'NOT_REDRIVABLE' }]);
    expect(await commands.redrive({ ids: [a.id] })).toEqual({ accepted: 1, tasks: [], refused: [] });
    expect(await commands.redrive({ ids: [a.id] })).toEqual({ accepted: 0, tasks: [], refused: [] });
    expect(given).toHaveLength(1);
  });

  it('counts what a task gave back and what came back, which is then poison', async () => {
    const { commands, put, untilEnded } = await makeCommands();
    await put('a');
    await put('b');
    await commands.redrive({ queue: 'detection', ratePerSecond: 100 });
    await untilEnded();
    expect(commands.inTask(deadLetterId('a'))).toBe(true);
    await put('a');
    expect(commands.status().tasks).toMatchObject([{ done: 2, cameBack: 1 }]);
    expect((await commands.groups({})).groups).toMatchObject([{ count: 1, cameBack: 1, redrivesMax: 1 }]);
  });

  it('cancels a task by its queue, saying who did', async () => {
    const { commands, put, told } = await makeCommands();
    for (const key of ['a', 'b', 'c']) await put(key);
    await commands.redrive({ queue: 'detection', ratePerSecond: 0.1 });
    expect((await commands.cancel({ queue: 'detection', by: 'Bo' })).task).toMatchObject({
      state: 'cancelled',
      why: 'cancelled by Bo',
    });
    expect(await commands.cancel({ queue: 'detection', by: 'Bo' })).toEqual({ task: null });
    expect(told.map(({ state }) => state)).toEqual(['running', 'cancelled']);
  });

  it('exports what the mark stands for, then purges exactly that, dropping its uploads by name', async () => {
    const { commands, dropped, discarded, put, store, untilEnded } = await makeCommands();
    await put('a');
    await put('b');
    await put('other', { queue: 'analysis', uploadId: null });
    const first = await commands.export({ queue: 'detection' });
    expect(first).toMatchObject({ total: 2, nextCursor: null });
    const lines = (first?.text ?? '')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as DeadLetter);
    expect(lines.map(({ id }) => id)).toEqual(['b', 'a'].map(deadLetterId));
    await put('late');
    const mark = first?.mark ?? '';
    const taken = await commands.purgeAll({ queue: 'detection', mark, reason: 'test frames', by: 'Ana' });
    expect(taken).toMatchObject({ accepted: 2, tasks: [{ kind: 'purge', total: 2 }] });
    await untilEnded();
    expect((await commands.list({ limit: 9 })).items.map(({ id }) => id)).toEqual(
      ['late', 'other'].map(deadLetterId),
    );
    expect([...dropped.ids()].sort()).toEqual(['u-a', 'u-b']);
    expect(discarded.sort()).toEqual(['u-a', 'u-b']);
    expect([...(await DroppedUploads.open(join(folder, 'dropped.jsonl'))).ids()].sort()).toEqual([
      'u-a',
      'u-b',
    ]);
    expect(await readFile(join(folder, 'dropped.jsonl'), 'utf8')).toContain('test frames');
    expect(store.size).toBe(2);
  });

  it('knows no mark of another life', async () => {
    const { commands, put } = await makeCommands();
    await put('a');
    const mark = '00000000-5';
    expect(await commands.export({ mark })).toBeNull();
    expect(await commands.purgeAll({ mark, reason: 'x', by: 'Ana' })).toBeNull();
    expect((await commands.list({ limit: 9 })).total).toBe(1);
  });

  it('drops a single purged upload by name, for good', async () => {
    const { commands, dropped, discarded, put } = await makeCommands();
    const { id } = await put('a');
    expect(await commands.purge({ id, reason: 'not wanted' })).toEqual({ purged: true });
    expect(await commands.purge({ id, reason: 'again' })).toEqual({ purged: false });
    expect([discarded, [...dropped.ids()]]).toEqual([['u-a'], ['u-a']]);
  });
});
