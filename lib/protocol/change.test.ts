import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyChange, changeBetween } from './change.ts';

/** Small alphabets, so that two values often have parts in common. */
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, 0, 1, true, '', 'a'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', '0'), tie('value'), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  ),
})).value;

describe('a change', () => {
  it('makes the next value of the previous one, also after a journey as JSON', () => {
    fc.assert(
      fc.property(json, json, (previous, next) => {
        const before = JSON.stringify(previous);
        const change = changeBetween(previous, next);
        const told = change === undefined ? undefined : JSON.parse(JSON.stringify(change));
        expect(told === undefined ? previous : applyChange(previous, told)).toEqual(next);
        expect(JSON.stringify(previous)).toBe(before);
      }),
      { numRuns: 2000 },
    );
  });

  it('is nothing between equals, and carries only what differs', () => {
    const state = {
      mode: 'NORMAL',
      queues: [
        { depth: 1, name: 'a' },
        { depth: 2, name: 'b' },
      ],
      gone: 1,
    };
    expect(changeBetween(state, structuredClone(state))).toBeUndefined();
    const next = {
      mode: 'NORMAL',
      queues: [
        { depth: 1, name: 'a' },
        { depth: null, name: 'b' },
      ],
      cause: {},
    };
    expect(changeBetween(state, next)).toEqual({ queues: { 1: { depth: [null] } }, cause: [{}], gone: 0 });
  });

  it('keeps the very objects that have not changed', () => {
    const state = { left: { deep: [1, 2] }, right: { at: 1 } };
    const next = applyChange(state, { right: { at: [2] } }) as typeof state;
    expect(next.left).toBe(state.left);
    expect(next.right).toEqual({ at: 2 });
  });

  it('refuses to go into what is not there', () => {
    expect(() => applyChange({ a: 1 }, { a: { b: [1] } })).toThrow(TypeError);
  });
});
