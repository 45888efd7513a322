import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { ManualClock } from '../clock.ts';
import { ChaosError } from '../errors.ts';
import { createRandom } from '../random.ts';
import { BACKOFF_DEFAULTS, backoffMs, RECONNECT_BACKOFF } from './backoff.ts';
import { isRetryableError, type RetryOptions, retry } from './retry.ts';
import { RetryBudget } from './retry-budget.ts';

const down = new Error('connect ECONNREFUSED');

/** A clock on which every wait is over at once, and is written down. */
function makeRetry(options: Partial<RetryOptions> = {}) {
  const clock = new ManualClock();
  const waitsMs: number[] = [];
  const fastClock = {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs: number, callback: () => void) => {
      waitsMs.push(delayMs);
      const timer = clock.after(delayMs, callback);
      queueMicrotask(() => clock.advance(delayMs));
      return timer;
    },
  };
  const run = <T>(operation: (attempt: number, signal?: AbortSignal) => Promise<T>) =>
    retry(operation, { clock: fastClock, random: () => 0, ...options });
  return { run, waitsMs };
}

/** Fails the first `times` calls. */
const failing = (times: number, error: unknown = down) =>
  vi.fn(async (attempt: number) => {
    if (attempt <= times) throw error;
    return `attempt ${attempt}`;
  });

describe('retry', () => {
  it('makes three attempts in total, waiting 1 s and 2 s', async () => {
    const { run, waitsMs } = makeRetry();
    await expect(run(failing(2))).resolves.toBe('attempt 3');
    expect(waitsMs).toEqual([1000, 2000]);
    const hopeless = failing(99);
    await expect(run(hopeless)).rejects.toBe(down);
    expect(hopeless).toHaveBeenCalledTimes(3);
  });

  it('waits for no longer than the cap before jitter', async () => {
    const { run, waitsMs } = makeRetry({ attempts: 8 });
    await run(failing(7));
    expect(waitsMs).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it('tells each retry before its wait', async () => {
    const onRetry = vi.fn();
    await makeRetry({ onRetry }).run(failing(1));
    expect(onRetry.mock.calls).toEqual([[{ attempt: 1, delayMs: 1000, error: down }]]);
  });

  it('waits as long as the service asked, up to the cap', async () => {
    const { run, waitsMs } = makeRetry();
    await run(failing(1, Object.assign(new Error('429'), { status: 429, retryAfterMs: 7000 })));
    await run(failing(1, Object.assign(new Error('429'), { status: 429, retryAfterMs: 99_000 })));
    expect(waitsMs).toEqual([7000, 30_000]);
  });

  it('throws at once what will fail again', async () => {
    const { run, waitsMs } = makeRetry();
    const bad = failing(99, Object.assign(new Error('bad image'), { status: 422 }));
    await expect(run(bad)).rejects.toThrow('bad image');
    expect(bad).toHaveBeenCalledTimes(1);
    expect(waitsMs).toEqual([]);
  });

  it('ends with the reason of its signal: before, between and during attempts', async () => {
    const reason = new Error('shutting down');
    const untouched = failing(0);
    await expect(makeRetry({ signal: AbortSignal.abort(reason) }).run(untouched)).rejects.toBe(reason);
    expect(untouched).not.toHaveBeenCalled();

    const controller = new AbortController();
    const waiting = retry(failing(99), { clock: new ManualClock(), signal: controller.signal });
    await Promise.resolve();
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);

    const during = new AbortController();
    const operation = vi.fn(async (_: number, signal?: AbortSignal) => {
      during.abort(reason);
      signal?.throwIfAborted();
    });
    await expect(makeRetry({ signal: during.signal }).run(operation)).rejects.toBe(reason);
    expect(operation).toHaveBeenCalledTimes(1);

    const own = new AbortController();
    const failsOnItsOwn = async () => {
      own.abort(reason);
      throw down;
    };
    await expect(makeRetry({ signal: own.signal }).run(failsOnItsOwn)).rejects.toBe(down);
  });

  it("throws the operation's own error when the shared budget is used up", async () => {
    const budget = new RetryBudget({ clock: new ManualClock(), burst: 2 });
    const { run } = makeRetry({ budget });
    await run(failing(2));
    const operation = failing(1);
    await expect(run(operation)).rejects.toBe(down);
    expect(operation).toHaveBeenCalledTimes(1);
    expect(budget.refused).toBe(1);
  });

  it.each([
    ['no error', 'down'],
    ['null', null],
    ['undefined', undefined],
    ['an error whose wait is not a number', Object.assign(new Error('429'), { retryAfterMs: '7000' })],
    ['an error whose wait is not even that', Object.assign(new Error('429'), { retryAfterMs: Number.NaN })],
  ])('waits its own time after %s', async (_, thrown) => {
    const { run, waitsMs } = makeRetry();
    await expect(run(failing(1, thrown))).resolves.toBe('attempt 2');
    expect(waitsMs).toEqual([1000]);
  });

  it('makes one attempt when told to', async () => {
    const { run, waitsMs } = makeRetry({ attempts: 1 });
    await expect(run(failing(1))).rejects.toBe(down);
    expect(waitsMs).toEqual([]);
  });

  it.each([0, 1.5, Number.NaN])('refuses %s attempts', async (attempts) => {
    await expect(retry(failing(0), { attempts })).rejects.toThrow(
      new RangeError(`Expected attempts to be a whole number from 1, got ${attempts}`),
    );
  });
});

describe('backoffMs', () => {
  it('adds 0 to 25 % by chance, repeatable by the seed', () => {
    expect(backoffMs(1, BACKOFF_DEFAULTS, () => 0)).toBe(1000);
    expect(backoffMs(1, BACKOFF_DEFAULTS, () => 0.999_999)).toBeCloseTo(1250, 1);
    const waits = (seed: number) => {
      const random = createRandom(seed);
      return [1, 2, 3].map((attempt) => backoffMs(attempt, BACKOFF_DEFAULTS, random));
    };
    expect(waits(5)).toEqual(waits(5));
    expect(waits(5)).not.toEqual(waits(6));
  });

  it('starts at 100 ms for reconnections', () => {
    expect([1, 2, 3].map((attempt) => backoffMs(attempt, RECONNECT_BACKOFF, () => 0))).toEqual([
      100, 200, 400,
    ]);
  });

  it('stays finite after very many attempts', () => {
    expect(backoffMs(5000, BACKOFF_DEFAULTS, () => 0)).toBe(30_000);
  });
});

describe('RetryBudget', () => {
  it('gives 5 at once, then 5 a second, and never saves up more', () => {
    const clock = new ManualClock();
    const budget = new RetryBudget({ clock });
    const takeAll = () => Array.from({ length: 20 }, () => budget.take()).filter(Boolean).length;
    expect(takeAll()).toBe(5);
    clock.advance(199);
    expect(takeAll()).toBe(0);
    clock.advance(1);
    expect(takeAll()).toBe(1);
    clock.advance(60_000);
    expect(takeAll()).toBe(5);
  });

  it('may hold a single token', () => {
    const budget = new RetryBudget({ clock: new ManualClock(), burst: 1 });
    expect([budget.take(), budget.take()]).toEqual([true, false]);
  });

  it.each([
    ['ratePerSecond', 0, 'above 0'],
    ['burst', 0, 'at least 1'],
  ])('refuses %s of %s', (name, value, bound) => {
    expect(() => new RetryBudget({ [name]: value })).toThrow(
      new RangeError(`Expected ${name} to be ${bound}, got ${value}`),
    );
  });
});

describe('isRetryableError', () => {
  const status = (code: number) => Object.assign(new Error(`HTTP ${code}`), { status: code });
  it.each([
    ['a refused connection', down, true],
    ['a 500', status(500), true],
    ['a 429', status(429), true],
    ['a 408', status(408), true],
    ['a 400', status(400), false],
    ['a 422', status(422), false],
    ['a status below 400', status(304), true],
    ['a status that is not a number', { status: '404' }, true],
    ['a time-out', new DOMException('late', 'TimeoutError'), true],
    ['an abort', new DOMException('stop', 'AbortError'), false],
    ['an open breaker', new ChaosError('BREAKER_OPEN', 'open'), false],
    ['a fault that is not valid', new ChaosError('INVALID_FAULT', 'ratio'), false],
    ['input of the wrong shape', z.string().safeParse(7).error, false],
    ['bad JSON', new SyntaxError('Unexpected token'), false],
    ['a mistake in the program', new TypeError('x is not a function'), false],
    ['what fetch throws for a broken connection', new TypeError('fetch failed', { cause: down }), true],
    ['something thrown that is no error', 'down', true],
    ['null', null, true],
    ['undefined', undefined, true],
  ])('%s: %s', (_, error, retryable) => {
    expect(isRetryableError(error)).toBe(retryable);
  });
});
