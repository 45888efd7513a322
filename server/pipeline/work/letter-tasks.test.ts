import { afterEach, describe, expect, it, vi } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import type { LetterTask } from '#lib/protocol/dead-letters.ts';
import { type LetterTaskOrder, LetterTasks, type LetterTasksOptions } from './letter-tasks.ts';

const made: LetterTasks[] = [];
afterEach(async () => {
  await Promise.all(made.splice(0).map((tasks) => tasks.close()));
});

function makeTasks(overrides: Partial<LetterTasksOptions> = {}) {
  const clock = new ManualClock();
  const given: string[] = [];
  const told: LetterTask[] = [];
  const tasks = new LetterTasks({
    clock,
    blockedBy: () => null,
    redrive: async (id) => given.push(id) > 0,
    purge: async (ids) => ids.length,
    onChanged: (task) => told.push(task),
    ...overrides,
  });
  made.push(tasks);
  /** Moves the clock in small steps and lets what is due happen. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 10) {
      clock.advance(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { clock, given, told, tasks, pass };
}

const redrive = (ids: string[], more: Partial<LetterTaskOrder> = {}) =>
  ({
    kind: 'redrive',
    queue: 'detection',
    ids,
    by: 'Ana',
    filter: {},
    ratePerSecond: 10,
    ...more,
  }) as LetterTaskOrder;
const ids = (many: number) => Array.from({ length: many }, (_, n) => `l${n}`);

describe('LetterTasks', () => {
  it('gives letters back at the rate, with its progress, and tells its start and end', async () => {
    const { given, told, tasks, pass } = makeTasks();
    tasks.start(redrive(ids(5), { filter: { faultId: 'f1' } }));
    await pass(200);
    expect(given.length).toBeGreaterThanOrEqual(2);
    expect(given.length).toBeLessThanOrEqual(3);
    expect(tasks.status()).toMatchObject([
      { kind: 'redrive', state: 'running', done: given.length, total: 5, by: 'Ana', faultId: 'f1' },
    ]);
    await pass(400);
    expect(given).toEqual(ids(5));
    expect(told.map(({ state, done, endedAt }) => [state, done, endedAt === null])).toEqual([
      ['running', 0, true],
      ['done', 5, false],
    ]);
    expect(tasks.current('detection')).toBeUndefined();
  });

  it('has one task a queue, and queues beside each other', async () => {
    const { tasks, pass } = makeTasks();
    tasks.start(redrive(ids(5)));
    expect(() => tasks.start(redrive(['x']))).toThrow('has a task already');
    tasks.start(redrive(ids(2), { queue: 'analysis' }));
    await pass(600);
    expect(tasks.status().map(({ queue, state }) => [queue, state])).toEqual(
      expect.arrayContaining([
        ['detection', 'done'],
        ['analysis', 'done'],
      ]),
    );
    tasks.start(redrive(['again']));
    expect(tasks.status()).toHaveLength(2);
  });

  it('stops where it is when it is cancelled', async () => {
    const { given, tasks, pass } = makeTasks();
    tasks.start(redrive(ids(50)));
    await pass(250);
    const ended = await tasks.cancel('detection', 'cancelled by Bo');
    expect(ended).toMatchObject({ state: 'cancelled', why: 'cancelled by Bo', done: given.length });
    const before = given.length;
    await pass(500);
    expect(given).toHaveLength(before);
    expect(await tasks.cancel('detection', 'again')).toBeUndefined();
  });

  it('waits while the target is down, saying why, and goes on by itself', async () => {
    let why: string | null = null;
    const { given, tasks, pass } = makeTasks({ blockedBy: () => why });
    tasks.start(redrive(ids(4)));
    await pass(150);
    why = 'the yolo26 breaker is OPEN';
    await pass(1000);
    const before = given.length;
    expect(before).toBeLessThan(4);
    expect(tasks.status()).toMatchObject([{ state: 'waiting', why }]);
    why = null;
    await pass(1000);
    expect(given).toHaveLength(4);
    expect(tasks.status()).toMatchObject([{ state: 'done', why: null }]);
  });

  it('makes no burst of what a slow letter has delayed', async () => {
    const slow = Promise.withResolvers<boolean>();
    const given: string[] = [];
    const { tasks, pass } = makeTasks({
      redrive: async (id) => {
        given.push(id);
        return id === 'l0' ? slow.promise : true;
      },
    });
    tasks.start(redrive(ids(10)));
    await pass(800);
    slow.resolve(true);
    await pass(110);
    expect(given.length).toBeLessThanOrEqual(3);
  });

  it('counts what was gone, what could not be given back, and what came back', async () => {
    const { tasks, pass } = makeTasks({
      redrive: async (id) => {
        if (id === 'l1') return false;
        if (id === 'l2') throw new Error('no tier takes it');
        return true;
      },
    });
    tasks.start(redrive(ids(4)));
    await pass(500);
    expect(tasks.hasGiven('l0')).toBe(true);
    tasks.arrived('l0');
    tasks.arrived('l1'); // not by this task
    tasks.arrived('l0'); // counted already
    expect(tasks.hasGiven('l0')).toBe(false);
    expect(tasks.status()).toMatchObject([{ state: 'done', done: 2, skipped: 1, failed: 1, cameBack: 1 }]);
  });

  it('gives up after five in a row that could not be given back', async () => {
    const attempt = vi.fn(async () => Promise.reject(new Error('Redis is away')));
    const { tasks, pass } = makeTasks({ redrive: attempt });
    tasks.start(redrive(ids(20)));
    await pass(1500);
    expect(attempt).toHaveBeenCalledTimes(5);
    expect(tasks.status()).toMatchObject([{ state: 'failed', why: 'Redis is away', failed: 5 }]);
  });

  it('purges in chunks, and forgets an ended task after ten minutes', async () => {
    const chunks: number[] = [];
    const { clock, tasks } = makeTasks({
      purge: async (some, reason) => {
        expect(reason).toBe('old');
        chunks.push(some.length);
        return some.length - 1;
      },
    });
    const order = {
      kind: 'purge',
      queue: 'upload',
      ids: ids(250),
      by: 'Ana',
      filter: {},
      reason: 'old',
    } as const;
    tasks.start(order);
    await vi.waitFor(() => expect(tasks.status()).toMatchObject([{ state: 'done' }]), 5000);
    expect(chunks).toEqual([100, 100, 50]);
    expect(tasks.status()).toMatchObject([{ done: 247, skipped: 3, ratePerSecond: null }]);
    clock.advance(10 * 60_000);
    expect(tasks.status()).toEqual([]);
  });
});
