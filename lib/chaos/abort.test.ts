import { describe, expect, it } from 'vitest';
import { abortable, isAbortError, isDeadlineError } from './abort.ts';
import { ChaosError } from './errors.ts';

describe('abortable', () => {
  it('settles like the promise', async () => {
    const { signal } = new AbortController();
    await expect(abortable(Promise.resolve(7), signal)).resolves.toBe(7);
    await expect(abortable(Promise.reject(new Error('down')), signal)).rejects.toThrow('down');
  });

  it('rejects with the reason when the signal aborts first; a later failure is unheard', async () => {
    const controller = new AbortController();
    const late = Promise.withResolvers<number>();
    const waiting = abortable(late.promise, controller.signal);
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    late.reject(new Error('late'));
    await expect(abortable(Promise.resolve(1), controller.signal)).rejects.toBe(reason);
  });
});

describe('isAbortError, isDeadlineError', () => {
  it('tells giving up from running out of time', () => {
    const aborted = AbortSignal.abort().reason;
    const timedOut = new DOMException('late', 'TimeoutError');
    const deadline = new ChaosError('DEADLINE_EXCEEDED', 'late');
    expect([aborted, timedOut, deadline, null, 'x'].map(isAbortError)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
    expect([aborted, timedOut, deadline, null, 'x'].map(isDeadlineError)).toEqual([
      false,
      true,
      true,
      false,
      false,
    ]);
  });
});
