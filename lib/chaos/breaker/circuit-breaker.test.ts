import fc from 'fast-check';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import type { BreakerStatus as ProtocolStatus } from '#lib/protocol/state.ts';
import { ManualClock } from '../clock.ts';
import { InjectedFaultError } from '../errors.ts';
import { BreakerOpenError } from './breaker-open-error.ts';
import {
  BREAKER_DEFAULTS,
  BREAKER_PROFILES,
  type BreakerName,
  type BreakerOptions,
  type BreakerProfile,
} from './breaker-options.ts';
import {
  type BreakerChange,
  type BreakerState,
  type BreakerStatus,
  CircuitBreaker,
} from './circuit-breaker.ts';

const down = new Error('connect ECONNREFUSED');
const fails = () => Promise.reject(down);
const works = () => Promise.resolve('ok');

function makeBreaker(overrides: Partial<BreakerOptions> = {}) {
  const clock = new ManualClock();
  const breaker = new CircuitBreaker('yolo26', {
    failureThreshold: 3,
    recoveryTimeoutMs: 8000,
    halfOpenMaxCalls: 2,
    successThreshold: 2,
    clock,
    ...overrides,
  });
  const changes: BreakerChange[] = [];
  breaker.on('stateChanged', (change) => changes.push(change));
  const fail = async (times = 1) => {
    for (let n = 0; n < times; n++) await expect(breaker.execute(fails)).rejects.toBe(down);
  };
  const open = () => fail(breaker.status().failureThreshold);
  /** A call that ends when told. */
  const start = (signal?: AbortSignal) => {
    const end = Promise.withResolvers<string>();
    const result = breaker.execute(() => end.promise, signal);
    result.catch(() => {});
    return { ...end, result };
  };
  return { breaker, clock, changes, fail, open, start };
}

/** A breaker whose timer is late: time has passed, and no callback has run. */
function makeLate() {
  const clock = new ManualClock();
  let skewMs = 0;
  const late = {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs() + skewMs,
    after: (ms: number, callback: () => void) => clock.after(ms, callback),
  };
  const lateBy = (ms: number) => {
    skewMs = ms;
  };
  return { ...makeBreaker({ clock: late }), lateBy };
}

describe('CircuitBreaker', () => {
  describe('CLOSED', () => {
    it('opens at the threshold of consecutive failures and passes each error on', async () => {
      const { breaker, changes, fail } = makeBreaker();
      await fail(2);
      expect(breaker.state).toBe('CLOSED');
      expect(breaker.status().failures).toBe(2);
      await fail();
      expect(breaker.state).toBe('OPEN');
      expect(changes).toMatchObject([
        {
          breaker: 'yolo26',
          from: 'CLOSED',
          to: 'OPEN',
          reason: 'failure_threshold',
          failures: 3,
          origin: 'organic',
        },
      ]);
    });

    it('forgets its failures at a success', async () => {
      const { breaker, fail } = makeBreaker();
      await fail(2);
      await expect(breaker.execute(works)).resolves.toBe('ok');
      await fail(2);
      expect(breaker.state).toBe('CLOSED');
      expect(breaker.status().calls).toMatchObject({ succeeded: 1, failed: 4 });
    });

    it('counts a call that throws before it gives a promise', async () => {
      const { breaker } = makeBreaker({ failureThreshold: 1 });
      const broken = () => {
        throw down;
      };
      await expect(breaker.execute(broken)).rejects.toBe(down);
      expect(breaker.state).toBe('OPEN');
    });

    it('counts excluded errors neither way', async () => {
      const { breaker, fail } = makeBreaker({ isFailure: (error) => error === down });
      await fail(2);
      await expect(breaker.execute(() => Promise.reject(new Error('400')))).rejects.toThrow('400');
      expect(breaker.status().failures).toBe(2);
      expect(breaker.metrics()).toMatchObject({ failed: 2, uncounted: 1 });
    });

    it('splits failures into injected and organic', async () => {
      const { breaker, changes } = makeBreaker();
      const injected = () => Promise.reject(new InjectedFaultError('f1', 'HTTP 500'));
      await expect(breaker.execute(fails)).rejects.toThrow();
      await expect(breaker.execute(injected)).rejects.toThrow();
      await expect(breaker.execute(injected)).rejects.toThrow();
      expect(breaker.status().calls).toMatchObject({ failed: 3, injected: 2, organic: 1 });
      expect(changes[0]?.origin).toBe('injected');
    });
  });

  describe('the calls that moved it', () => {
    it('are the failures in a row, with how long each took and whose it was', async () => {
      const { breaker, clock, changes } = makeBreaker({ timeCalls: true });
      const slow = (error: Error) => () => {
        clock.advance(40);
        return Promise.reject(error);
      };
      await expect(breaker.execute(fails)).rejects.toThrow();
      await breaker.execute(works);
      const startedAt = clock.now();
      await expect(breaker.execute(slow(down))).rejects.toThrow();
      await expect(breaker.execute(slow(new InjectedFaultError('f1', 'HTTP 500')))).rejects.toThrow();
      await expect(breaker.execute(slow(new Error('x'.repeat(500))))).rejects.toThrow();
      expect(changes[0]?.calls).toMatchObject([
        { at: startedAt + 40, durationMs: 40, error: 'connect ECONNREFUSED', origin: 'organic' },
        { at: startedAt + 80, durationMs: 40, origin: 'injected' },
        { error: 'x'.repeat(200), origin: 'organic' },
      ]);
    });

    it('are not timed while it is closed unless asked to be: nothing reads the clock for them', async () => {
      const { breaker, clock, changes } = makeBreaker();
      const read = vi.spyOn(clock, 'monotonicMs');
      for (let call = 0; call < 10; call++) await breaker.execute(works);
      await expect(breaker.execute(fails)).rejects.toThrow();
      await expect(breaker.execute(fails)).rejects.toThrow();
      expect(read).not.toHaveBeenCalled();
      await expect(breaker.execute(fails)).rejects.toThrow();
      expect(changes[0]?.calls.map(({ durationMs }) => durationMs)).toEqual([null, null, null]);
    });

    it('are the trials, well or not, and none when time or a hand moved it', async () => {
      const { breaker, clock, changes, fail, open } = makeBreaker();
      await open();
      clock.advance(8000);
      expect(changes.at(-1)).toMatchObject({ to: 'HALF_OPEN', calls: [] });
      await breaker.execute(async () => clock.advance(15));
      await fail();
      expect(changes.at(-1)).toMatchObject({
        to: 'OPEN',
        calls: [
          { error: null, origin: null, durationMs: 15 },
          { error: 'connect ECONNREFUSED', origin: 'organic' },
        ],
      });
      clock.advance(8000);
      await breaker.execute(works);
      await breaker.execute(works);
      expect(changes.at(-1)).toMatchObject({ to: 'CLOSED', calls: [{ error: null }, { error: null }] });
      await open();
      expect(changes.at(-1)).toMatchObject({ to: 'OPEN' });
      expect(changes.at(-1)?.calls, 'of a closed one that was open before').toHaveLength(3);
      breaker.close();
      expect(changes.at(-1)).toMatchObject({ to: 'CLOSED', calls: [] });
      breaker.forceOpen();
      expect(changes.at(-1)?.calls).toEqual([]);
    });

    it('are the last 20 of a high threshold', async () => {
      const { changes, open } = makeBreaker({ failureThreshold: 25 });
      await open();
      expect(changes[0]?.calls).toHaveLength(20);
    });
  });

  describe('OPEN', () => {
    it('rejects without a call, says when to come back, and counts it apart from failures', async () => {
      const { breaker, clock, open } = makeBreaker();
      await open();
      clock.advance(3000);
      const call = vi.fn(works);
      const rejected = vi.fn();
      breaker.on('rejected', rejected);
      await expect(breaker.execute(call)).rejects.toMatchObject({
        code: 'BREAKER_OPEN',
        retryAfterMs: 5000,
        message: 'Breaker yolo26 is open, try again in 5000 ms',
      });
      expect(call).not.toHaveBeenCalled();
      expect(breaker.status()).toMatchObject({ retryAfterMs: 5000, calls: { failed: 3, rejected: 1 } });
      expect(rejected).toHaveBeenCalledWith(expect.objectContaining({ state: 'OPEN', retryAfterMs: 5000 }));
    });

    it('becomes HALF_OPEN by its own timer, without a call', async () => {
      const { breaker, clock, changes, open } = makeBreaker();
      await open();
      clock.advance(7999);
      expect(breaker.state).toBe('OPEN');
      clock.advance(1);
      expect(breaker.state).toBe('HALF_OPEN');
      expect(changes.at(-1)).toMatchObject({ from: 'OPEN', reason: 'recovery_timeout', spentMs: 8000 });
    });

    it('lets a trial through at the time even when its timer is late', async () => {
      const { breaker, open, lateBy } = makeLate();
      await open();
      lateBy(8000);
      await expect(breaker.execute(works)).resolves.toBe('ok');
      expect(breaker.state).toBe('HALF_OPEN');
    });

    it('lets a call through when a listener closes it at the time of the trial', async () => {
      const { breaker, open, lateBy } = makeLate();
      await open();
      breaker.on('stateChanged', ({ to }) => to === 'HALF_OPEN' && breaker.close());
      lateBy(8000);
      await expect(breaker.execute(works)).resolves.toBe('ok');
      expect(breaker.state).toBe('CLOSED');
    });

    it('waits by the monotonic clock', async () => {
      const { breaker, clock, open } = makeBreaker();
      await open();
      clock.stepWall(60_000);
      expect(breaker.status().retryAfterMs).toBe(8000);
      await expect(breaker.execute(works)).rejects.toBeInstanceOf(BreakerOpenError);
    });

    it('ignores results of calls that started before it opened', async () => {
      const { breaker, open, start } = makeBreaker();
      const good = start();
      const bad = start();
      await open();
      good.resolve('late');
      bad.reject(down);
      await expect(good.result).resolves.toBe('late');
      await expect(bad.result).rejects.toBe(down);
      expect(breaker.state).toBe('OPEN');
      expect(breaker.status().failures).toBe(3);
    });
  });

  describe('HALF_OPEN', () => {
    async function makeHalfOpen(overrides: Partial<BreakerOptions> = {}) {
      const made = makeBreaker(overrides);
      await made.open();
      made.clock.advance(8000);
      return made;
    }

    it('closes at the success threshold', async () => {
      const { breaker, changes } = await makeHalfOpen();
      await breaker.execute(works);
      expect(breaker.status()).toMatchObject({ state: 'HALF_OPEN', successes: 1, trials: 0 });
      await breaker.execute(works);
      expect(breaker.status()).toMatchObject({ state: 'CLOSED', failures: 0 });
      expect(changes.at(-1)).toMatchObject({ from: 'HALF_OPEN', to: 'CLOSED', reason: 'success_threshold' });
    });

    it('opens again on one failure and starts its wait anew', async () => {
      const { breaker, clock, changes, fail } = await makeHalfOpen();
      await breaker.execute(works);
      await fail();
      expect(changes.at(-1)).toMatchObject({
        from: 'HALF_OPEN',
        to: 'OPEN',
        reason: 'trial_failed',
        failures: 1,
      });
      expect(breaker.status()).toMatchObject({ state: 'OPEN', failures: 1, retryAfterMs: 8000 });
      clock.advance(7999);
      expect(breaker.state).toBe('OPEN');
      clock.advance(1);
      expect(breaker.status()).toMatchObject({ state: 'HALF_OPEN', successes: 0 });
    });

    it('bounds trials in flight, not in total', async () => {
      const { breaker, start } = await makeHalfOpen({ successThreshold: 5 });
      const one = start();
      const two = start();
      await expect(breaker.execute(works)).rejects.toMatchObject({
        code: 'BREAKER_OPEN',
        retryAfterMs: 8000,
      });
      expect(breaker.status().trials).toBe(2);
      one.resolve('ok');
      await one.result;
      await expect(breaker.execute(works)).resolves.toBe('ok');
      two.resolve('ok');
      await two.result;
      for (let n = 0; n < 2; n++) await breaker.execute(works);
      expect(breaker.state).toBe('CLOSED');
    });

    it('frees a slot at once when its caller gives up, however long the call still hangs', async () => {
      const { breaker, start } = await makeHalfOpen({ halfOpenMaxCalls: 1 });
      const controller = new AbortController();
      const hanging = start(controller.signal);
      const reason = new Error('client gone');
      controller.abort(reason);
      await expect(hanging.result).rejects.toBe(reason);
      expect(breaker.status()).toMatchObject({ state: 'HALF_OPEN', trials: 0 });
      await expect(breaker.execute(works)).resolves.toBe('ok');
    });

    it('frees a slot when a trial fails with an excluded error', async () => {
      const { breaker } = await makeHalfOpen({ halfOpenMaxCalls: 1, isFailure: (error) => error === down });
      await expect(breaker.execute(() => Promise.reject(new Error('400')))).rejects.toThrow('400');
      expect(breaker.status()).toMatchObject({ state: 'HALF_OPEN', trials: 0, successes: 0 });
      await breaker.execute(works);
    });

    it('ignores trials of an earlier half-open time, good or bad', async () => {
      const { breaker, clock, fail, start } = await makeHalfOpen({
        halfOpenMaxCalls: 3,
        successThreshold: 1,
      });
      const [good, bad] = [start(), start()];
      await fail();
      clock.advance(8000);
      bad.reject(down);
      await expect(bad.result).rejects.toBe(down);
      good.resolve('late');
      await good.result;
      expect(breaker.status()).toMatchObject({ state: 'HALF_OPEN', trials: 0, successes: 0 });
    });

    it('ignores a trial that fails after others have closed it', async () => {
      const { breaker, start } = await makeHalfOpen({ successThreshold: 1 });
      const slow = start();
      await breaker.execute(works);
      slow.reject(down);
      await expect(slow.result).rejects.toBe(down);
      expect(breaker.status()).toMatchObject({ state: 'CLOSED', failures: 0 });
    });
  });

  describe('aborts', () => {
    it('rejects with the reason and counts neither way', async () => {
      const { breaker, fail, start } = makeBreaker();
      await fail(2);
      const controller = new AbortController();
      const call = start(controller.signal);
      controller.abort();
      await expect(call.result).rejects.toMatchObject({ name: 'AbortError' });
      expect(breaker.status()).toMatchObject({ state: 'CLOSED', failures: 2 });
      expect(breaker.metrics()).toMatchObject({ uncounted: 1, failed: 2, succeeded: 0 });
    });

    it('does not call when the signal has aborted already', async () => {
      const { breaker } = makeBreaker();
      const call = vi.fn(works);
      await expect(breaker.execute(call, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
      expect(call).not.toHaveBeenCalled();
    });

    it('counts a deadline in the signal as a failure: the service was too slow', async () => {
      const { breaker, start } = makeBreaker({ failureThreshold: 1 });
      const controller = new AbortController();
      const call = start(controller.signal);
      controller.abort(new DOMException('too slow', 'TimeoutError'));
      await expect(call.result).rejects.toMatchObject({ name: 'TimeoutError' });
      expect(breaker.state).toBe('OPEN');
    });

    it('gives its signal to the call', async () => {
      const { breaker } = makeBreaker();
      const { signal } = new AbortController();
      await expect(breaker.execute(async (given) => given, signal)).resolves.toBe(signal);
    });
  });

  describe('by hand', () => {
    it('stays open until released, and no timer or late result moves it', async () => {
      const { breaker, clock, changes, open, start } = makeBreaker();
      const late = start();
      await open();
      breaker.forceOpen();
      breaker.forceOpen();
      clock.advance(3_600_000);
      late.resolve('ok');
      await late.result;
      expect(breaker.status()).toMatchObject({ state: 'FORCED_OPEN', failures: 0, retryAfterMs: null });
      await expect(breaker.execute(works)).rejects.toBeInstanceOf(BreakerOpenError);
      breaker.close();
      expect(changes.map(({ to, reason }) => [to, reason])).toEqual([
        ['OPEN', 'failure_threshold'],
        ['FORCED_OPEN', 'forced_open'],
        ['CLOSED', 'closed_by_hand'],
      ]);
      await expect(breaker.execute(works)).resolves.toBe('ok');
    });

    it('closes from OPEN for good: the timer is gone', async () => {
      const { breaker, clock, open } = makeBreaker();
      await open();
      breaker.close();
      clock.advance(8000);
      expect(breaker.state).toBe('CLOSED');
    });

    it('tells a reset from a close', async () => {
      const { breaker, changes, open } = makeBreaker();
      await open();
      breaker.reset();
      expect(changes.at(-1)).toMatchObject({ from: 'OPEN', to: 'CLOSED', reason: 'reset_by_hand' });
    });

    it('forgets its counts at a reset; a failure from before does not count', async () => {
      const { breaker, changes, fail, start } = makeBreaker();
      await fail(2);
      const late = start();
      breaker.reset();
      late.reject(down);
      await expect(late.result).rejects.toBe(down);
      expect(breaker.status()).toMatchObject({ state: 'CLOSED', failures: 0 });
      expect(changes).toEqual([]);
      breaker.reset();
      expect(breaker.status()).toMatchObject({ lastError: null, calls: { failed: 0 } });
    });

    it('runs no timer after dispose', async () => {
      const { breaker, clock, open } = makeBreaker();
      await open();
      breaker.dispose();
      clock.advance(8000);
      expect(breaker.state).toBe('OPEN');
    });
  });

  it('is not moved by a listener that throws, and the next listener still hears', async () => {
    const { breaker, clock, fail } = makeBreaker({ failureThreshold: 1 });
    const heard = vi.fn();
    breaker.prependListener('stateChanged', () => {
      throw new Error('observer');
    });
    breaker.on('stateChanged', heard);
    const warned = new Promise((resolve) => process.once('warning', resolve));
    await fail();
    expect(heard).toHaveBeenCalledTimes(1);
    clock.advance(8000);
    await expect(breaker.execute(works)).resolves.toBe('ok');
    await expect(warned).resolves.toMatchObject({ message: 'observer' });
  });

  it('adds up the time in each state', async () => {
    const { breaker, clock, open } = makeBreaker();
    clock.advance(1000);
    await open();
    clock.advance(8500);
    expect(breaker.metrics()).toMatchObject({
      transitions: 2,
      timeInStateMs: { CLOSED: 1000, OPEN: 8000, HALF_OPEN: 500, FORCED_OPEN: 0 },
    });
    const { spentMs } = breaker.status();
    expect(spentMs, 'without the present phase').toEqual({
      CLOSED: 1000,
      OPEN: 8000,
      HALF_OPEN: 0,
      FORCED_OPEN: 0,
    });
  });

  it('tells its state in the shape of the protocol', () => {
    expectTypeOf<BreakerStatus>().toEqualTypeOf<ProtocolStatus>();
    expect(makeBreaker().breaker.status()).toEqual({
      name: 'yolo26',
      state: 'CLOSED',
      since: Date.UTC(2026, 0, 1),
      failures: 0,
      failureThreshold: 3,
      trials: 0,
      halfOpenMaxCalls: 2,
      successes: 0,
      successThreshold: 2,
      retryAfterMs: null,
      calls: { succeeded: 0, failed: 0, rejected: 0, injected: 0, organic: 0 },
      transitions: 0,
      spentMs: { CLOSED: 0, OPEN: 0, HALF_OPEN: 0, FORCED_OPEN: 0 },
      lastError: null,
    });
  });

  it.each([
    ['failureThreshold', 0, 'a whole number from 1'],
    ['failureThreshold', 1.5, 'a whole number from 1'],
    ['halfOpenMaxCalls', 0, 'a whole number from 1'],
    ['successThreshold', -1, 'a whole number from 1'],
    ['recoveryTimeoutMs', 0, 'above 0'],
    ['recoveryTimeoutMs', Number.POSITIVE_INFINITY, 'above 0'],
  ])('refuses %s of %s', (name, value, bound) => {
    expect(() => new CircuitBreaker('x', { [name]: value })).toThrow(
      new RangeError(`Expected ${name} to be ${bound}, got ${value}`),
    );
  });

  it.each<[BreakerProfile, BreakerName[], [number, number, number, number]]>([
    ['production', ['yolo26', 'nemotron'], [5, 30_000, 3, 2]],
    ['production', ['database', 'redis'], [10, 60_000, 5, 3]],
    ['production', ['broadcaster'], [5, 30_000, 1, 1]],
    ['game-day', ['yolo26', 'nemotron', 'database', 'redis'], [3, 8000, 2, 2]],
    ['game-day', ['broadcaster'], [3, 8000, 1, 1]],
    ['test', ['yolo26', 'nemotron', 'database', 'redis'], [3, 1500, 2, 2]],
    ['test', ['broadcaster'], [3, 1500, 1, 1]],
  ])('in %s gives %j the numbers of the page', (profile, names, numbers) => {
    const [failureThreshold, recoveryTimeoutMs, halfOpenMaxCalls, successThreshold] = numbers;
    const thresholds = { failureThreshold, recoveryTimeoutMs, halfOpenMaxCalls, successThreshold };
    for (const name of names) expect(BREAKER_PROFILES[profile][name]).toEqual(thresholds);
  });

  it('is that of an AI service in production unless told otherwise', () => {
    expect(BREAKER_DEFAULTS).toMatchObject(BREAKER_PROFILES.production.yolo26);
  });

  describe('against a model', () => {
    type Outcome = 'good' | 'bad' | 'excluded';

    interface Call {
      end: PromiseWithResolvers<string>;
      result: Promise<string>;
      /** The stretch of the model in which it started; undefined when it was rejected. */
      stretch: number | undefined;
    }

    /** The rules of the table, written a second time in the plainest way. */
    class Model {
      state: BreakerState = 'CLOSED';
      stretch = 0;
      failures = 0;
      successes = 0;
      trials = 0;
      dueMs = 0;
      readonly options: BreakerOptions;

      constructor(options: BreakerOptions) {
        this.options = options;
      }

      to(state: BreakerState, nowMs: number) {
        this.stretch++;
        Object.assign(this, { state, failures: 0, successes: 0, trials: 0 });
        this.dueMs = nowMs + this.options.recoveryTimeoutMs;
      }

      start(): number | undefined {
        if (this.state === 'OPEN' || this.state === 'FORCED_OPEN') return undefined;
        if (this.state === 'HALF_OPEN' && this.trials >= this.options.halfOpenMaxCalls) return undefined;
        if (this.state === 'HALF_OPEN') this.trials++;
        return this.stretch;
      }

      end(stretch: number, outcome: Outcome, nowMs: number) {
        if (stretch !== this.stretch) return;
        if (this.state === 'CLOSED') {
          if (outcome !== 'excluded') this.failures = outcome === 'good' ? 0 : this.failures + 1;
          if (this.failures >= this.options.failureThreshold) this.to('OPEN', nowMs);
        } else if (outcome === 'excluded') {
          this.trials--;
        } else if (outcome === 'good') {
          this.trials--;
          if (++this.successes >= this.options.successThreshold) this.to('CLOSED', nowMs);
        } else this.to('OPEN', nowMs);
      }

      tick(nowMs: number) {
        if (this.state === 'OPEN' && nowMs >= this.dueMs) this.to('HALF_OPEN', nowMs);
      }
    }

    const outcome = fc.constantFrom<Outcome[]>('good', 'bad', 'bad', 'excluded');
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant({ do: 'start' as const }) },
      {
        weight: 6,
        arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(7), outcome }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 150 }) }),
      },
      {
        weight: 1,
        arbitrary: fc
          .constantFrom('forceOpen' as const, 'close' as const, 'reset' as const)
          .map((name) => ({ do: name })),
      },
    );

    it('agrees with it after every step of any schedule', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            failureThreshold: fc.integer({ min: 1, max: 3 }),
            halfOpenMaxCalls: fc.integer({ min: 1, max: 3 }),
            successThreshold: fc.integer({ min: 1, max: 3 }),
          }),
          fc.array(step, { maxLength: 60, size: 'max' }), // the default size would stop at 10 steps
          async (thresholds, steps) => {
            const clock = new ManualClock();
            const options = {
              ...BREAKER_DEFAULTS,
              ...thresholds,
              recoveryTimeoutMs: 100,
              clock,
              isFailure: (error: unknown) => error === down,
            };
            const breaker = new CircuitBreaker('model', options);
            const model = new Model(options);
            const calls: Call[] = [];
            for (const each of steps) {
              if (each.do === 'start') {
                const stretch = model.start();
                const end = Promise.withResolvers<string>();
                const result = breaker.execute(() => end.promise);
                result.catch(() => {});
                if (stretch === undefined) await expect(result).rejects.toBeInstanceOf(BreakerOpenError);
                else calls.push({ end, result, stretch });
              } else if (each.do === 'end') {
                const call = calls.splice(each.which % Math.max(1, calls.length), 1)[0];
                if (!call || call.stretch === undefined) continue;
                if (each.outcome === 'good') call.end.resolve('ok');
                else call.end.reject(each.outcome === 'bad' ? down : new Error('400'));
                await call.result.catch(() => {});
                model.end(call.stretch, each.outcome, clock.monotonicMs());
              } else if (each.do === 'wait') {
                clock.advance(each.ms);
                model.tick(clock.monotonicMs());
              } else {
                breaker[each.do]();
                if (each.do !== 'forceOpen') model.to('CLOSED', clock.monotonicMs());
                else if (model.state !== 'FORCED_OPEN') model.to('FORCED_OPEN', clock.monotonicMs());
              }
              const { state, trials, successes, failures } = breaker.status();
              expect({ state, trials, successes }).toEqual({
                state: model.state,
                trials: model.trials,
                successes: model.successes,
              });
              if (state === 'CLOSED') expect(failures).toBe(model.failures);
            }
            breaker.dispose();
          },
        ),
        { numRuns: 300 },
      );
    });
  });
});
