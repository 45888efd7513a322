import { describe, expect, it } from 'vitest';
import { structuralShare } from './structural-share.ts';

describe('structuralShare', () => {
  it('keeps the identity of parts that did not change', () => {
    const previous = { at: 1, ledger: { lost: 0 }, queues: [{ depth: 1 }, { depth: 2 }] };
    const next = structuralShare(previous, {
      at: 2,
      ledger: { lost: 0 },
      queues: [{ depth: 1 }, { depth: 3 }],
    });
    expect(next.ledger).toBe(previous.ledger);
    expect(next.queues[0]).toBe(previous.queues[0]);
    expect(next.queues).not.toBe(previous.queues);
    expect(next).toEqual({ at: 2, ledger: { lost: 0 }, queues: [{ depth: 1 }, { depth: 3 }] });
  });

  it('gives the previous object back when all of it is equal', () => {
    const previous = { a: [1, { b: null }] };
    expect(structuralShare(previous, { a: [1, { b: null }] })).toBe(previous);
  });

  it('sees a key that went away and a value that became null', () => {
    expect(structuralShare({ a: 1, b: 2 }, { a: 1 })).toEqual({ a: 1 });
    expect(structuralShare({ a: { b: 1 } }, { a: null })).toEqual({ a: null });
  });
});
