import { describe, expect, it } from 'vitest';
import type { DeadLetter } from '#lib/protocol/events.ts';
import { groupLetters } from './dead-letters.ts';

function makeLetter(id: string, more: Partial<DeadLetter>): DeadLetter {
  return {
    id,
    queue: 'detection',
    uploadId: id,
    error: { code: 'UPSTREAM_ERROR', message: 'answered 500' },
    attempts: 5,
    firstFailedAt: 0,
    lastFailedAt: 0,
    faultIds: [],
    traceId: id,
    signature: 'UPSTREAM_ERROR 500',
    payload: null,
    ...more,
  };
}

describe('groupLetters', () => {
  it('puts what failed alike together, the largest group first', () => {
    const groups = groupLetters([
      makeLetter('a', { signature: 'TIMEOUT', faultIds: ['f1'] }),
      makeLetter('b', {}),
      makeLetter('c', {}),
      makeLetter('d', { queue: 'analysis', signature: 'TIMEOUT', lastFailedAt: 9 }),
    ]);
    expect(groups.map(({ queue, signature, letters }) => [queue, signature, letters.length])).toEqual([
      ['detection', 'UPSTREAM_ERROR 500', 2],
      ['analysis', 'TIMEOUT', 1],
      ['detection', 'TIMEOUT', 1],
    ]);
  });

  it('calls a group ours only when every letter of it is', () => {
    const [group] = groupLetters([makeLetter('a', { faultIds: ['f1'] }), makeLetter('b', {})]);
    expect(group?.injected).toBe(false);
    expect(groupLetters([makeLetter('a', { faultIds: ['f1'] })])[0]?.injected).toBe(true);
  });
});
