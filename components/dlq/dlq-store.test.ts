import { describe, expect, it } from 'vitest';
import { addressOf, letterFilter, readAddress, taken } from './dlq-store.ts';

describe('the address of what is looked at', () => {
  it.each([
    [{}, null, '/dlq'],
    [{ queue: 'detection' }, null, '/dlq?queue=detection'],
    [
      { queue: 'detection', faultId: 'f1' },
      { queue: 'detection', signature: 'E 500: <n> & more' },
      undefined,
    ],
    [{}, { queue: 'analysis', signature: 'TIMEOUT' }, undefined],
  ])('is read as it was written: %j %j', (filter, group, address) => {
    const written = addressOf(filter, group);
    if (address !== undefined) expect(written).toBe(address);
    expect(readAddress(written.slice('/dlq'.length))).toEqual({ filter, group });
  });

  it('asks for the letters of the group within the filter', () => {
    const group = { queue: 'detection', signature: 'E' };
    expect(letterFilter({ filter: { faultId: 'f1' }, group })).toEqual({ faultId: 'f1', ...group });
  });
});

describe('taken', () => {
  it('keeps what was read last when it cannot be read again', () => {
    const before = { data: 'old', readAt: 5, failure: null };
    expect(taken(before, { ok: false, text: 'away' })).toEqual({ data: 'old', readAt: 5, failure: 'away' });
    expect(taken({ ...before, failure: 'away' }, { ok: true, data: 'new' })).toMatchObject({
      data: 'new',
      failure: null,
    });
  });
});
