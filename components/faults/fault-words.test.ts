import { describe, expect, it } from 'vitest';
import { kindWords, settingWords } from './fault-words.ts';

const fault = { params: {}, seed: 7, hitsByKind: {} };

describe('settingWords', () => {
  it('names parameters and every modifier, and leaves out what means all', () => {
    expect(
      settingWords({
        ...fault,
        params: { latencyMs: 500, services: [] },
        match: { sql: 'insert', command: 'GET' },
        pulse: { activeMs: 500, dormantMs: 1500 },
        failFirst: 3,
        rampMs: 10_000,
      }),
    ).toEqual([
      'latencyMs 500',
      'only where command has “GET”',
      'only where SQL has “insert”',
      'acts 500 ms, rests 1.5 s',
      'first 3 calls only',
      'grows over 10 s',
    ]);
    expect(settingWords(fault)).toEqual([]);
  });
});

describe('kindWords', () => {
  it('begins with the most frequent kind and says how many are left out', () => {
    const hitsByKind = { 'GET /health': 2, 'POST /detect': 12, PING: 1 };
    expect(kindWords({ hitsByKind })).toEqual(['POST /detect 12', 'GET /health 2', 'PING 1']);
    expect(kindWords({ hitsByKind }, 1)).toEqual(['POST /detect 12', '2 more']);
  });
});
