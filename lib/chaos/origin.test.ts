import { describe, expect, it } from 'vitest';
import { ChaosError, InjectedFaultError } from './errors.ts';
import { faultMark } from './faults/fault.ts';
import { faultIdOf, originByMark, originOfMany } from './origin.ts';

describe('faultIdOf', () => {
  it.each([
    ['its class', new InjectedFaultError('f1', 'no memory')],
    ['the mark in its message', new Error(`READONLY ${faultMark('f1')}`)],
    ['the mark in its detail', Object.assign(new Error('query failed'), { detail: faultMark('f1') })],
    ['the mark in its body', { body: `{"error":"${faultMark('f1')}"}` }],
    ['its faultId', Object.assign(new Error('HTTP 500'), { faultId: 'f1' })],
    [
      'a cause of its cause',
      new Error('a', { cause: new Error('b', { cause: new InjectedFaultError('f1', 'c') }) }),
    ],
  ])('finds the fault by %s', (_, error) => {
    expect(faultIdOf(error)).toBe('f1');
    expect(originByMark(error)).toBe('injected');
  });

  it.each([new Error('ECONNREFUSED'), 'text', null, undefined, { message: 7 }])(
    'finds none in %s',
    (error) => {
      expect(faultIdOf(error)).toBeUndefined();
      expect(originByMark(error)).toBe('organic');
    },
  );

  it('ends on causes that go in a circle', () => {
    const error = new Error('a');
    error.cause = error;
    expect(faultIdOf(error)).toBeUndefined();
  });
});

describe('originOfMany', () => {
  it.each([
    [3, 3, 'injected'],
    [2, 3, 'injected'],
    [1, 2, 'organic'],
    [0, 1, 'organic'],
  ] as const)('%s injected of %s is %s', (injected, total, origin) => {
    expect(originOfMany(injected, total)).toBe(origin);
  });
});

describe('ChaosError', () => {
  it('carries name, code and cause', () => {
    const cause = new Error('socket');
    const error = new InjectedFaultError('f1', 'no memory', { cause });
    expect(error).toMatchObject({ name: 'InjectedFaultError', code: 'INJECTED', faultId: 'f1', cause });
    expect(new ChaosError('QUEUE_FULL', 'full').name).toBe('ChaosError');
  });
});
