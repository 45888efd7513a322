import { describe, expect, it } from 'vitest';
import type { DeadLetter } from './dead-letter.ts';
import { countFaults, groupLetters } from './letter-groups.ts';

function makeLetter(n: number, more: Partial<DeadLetter> = {}): DeadLetter {
  return {
    id: `dl_${n}`,
    queue: 'detection',
    uploadId: `u${n}`,
    error: { code: 'HTTP_STATUS', message: `answered 500 to frame ${n}` },
    attempts: 5,
    delaysMs: [],
    firstFailedAt: 0,
    lastFailedAt: 1000 - n,
    faultIds: [],
    traceId: 't',
    signature: 'HTTP_STATUS 500',
    payload: null,
    redrives: 0,
    ...more,
  };
}

const all = { window: 1000, isRedrivable: () => true };

describe('groupLetters', () => {
  it('puts together what failed alike in one queue, the largest first, then the newest', () => {
    const { groups, looked, total } = groupLetters(
      [
        makeLetter(0, { signature: 'TIMEOUT', faultIds: ['f1'] }),
        makeLetter(1, { queue: 'analysis', signature: 'TIMEOUT' }),
        makeLetter(2, { faultIds: ['f1', 'f2'], redrives: 3 }),
        makeLetter(3, { faultIds: ['f2'], redrives: 1, uploadId: null }),
        makeLetter(4),
      ],
      { window: 1000, isRedrivable: ({ uploadId }) => uploadId !== null },
    );
    expect(groups.map(({ queue, signature, count }) => [queue, signature, count])).toEqual([
      ['detection', 'HTTP_STATUS 500', 3],
      ['detection', 'TIMEOUT', 1],
      ['analysis', 'TIMEOUT', 1],
    ]);
    expect(groups[0]).toEqual({
      queue: 'detection',
      signature: 'HTTP_STATUS 500',
      count: 3,
      total: 3,
      redrivable: 2,
      injected: 2,
      cameBack: 2,
      redrivesMax: 3,
      faultIds: ['f1', 'f2'],
      newestAt: 998,
      oldestAt: 996,
      error: 'answered 500 to frame 2',
    });
    expect([looked, total]).toEqual([5, 5]);
  });

  it('makes groups of the window alone, and counts the rest into them', () => {
    const letters = [
      makeLetter(0),
      makeLetter(1, { signature: 'B' }),
      makeLetter(2),
      makeLetter(3, { signature: 'C' }),
    ];
    const { groups, looked, total } = groupLetters(letters, { ...all, window: 2 });
    expect(groups.map(({ signature, count, total: inAll }) => [signature, count, inAll])).toEqual([
      ['HTTP_STATUS 500', 1, 2],
      ['B', 1, 1],
    ]);
    expect([looked, total]).toEqual([2, 4]);
  });

  it('has no group for no letter', () => {
    expect(groupLetters([], all)).toEqual({ groups: [], more: 0, looked: 0, total: 0 });
  });

  it('stays small whatever fails in how many ways', () => {
    const letters = Array.from({ length: 900 }, (_, n) =>
      makeLetter(n, {
        signature: `kind ${n % 300}`,
        error: { code: 'E', message: 'x'.repeat(5000) },
        faultIds: Array.from({ length: 50 }, (__, fault) => `f${fault}`),
      }),
    );
    const grouped = groupLetters(letters, all);
    expect([grouped.groups.length, grouped.more]).toEqual([200, 100]);
    expect(JSON.stringify(grouped).length).toBeLessThan(256 * 1024);
  });
});

describe('countFaults', () => {
  it('counts the faults in force at the newest letters, the most frequent first', () => {
    const letters = [['f1'], ['f2', 'f1'], [], ['f3']].map((faultIds, n) => makeLetter(n, { faultIds }));
    expect(countFaults(letters, { window: 3 })).toEqual([
      { id: 'f1', count: 2 },
      { id: 'f2', count: 1 },
    ]);
  });
});
