import { describe, expect, it } from 'vitest';
import type { Fact } from '#lib/protocol/facts.ts';
import { appendFact, EMPTY_FACT_LOG, FACTS_KEPT, mergeSnapshot } from './facts-reducer.ts';

function makeFact(seq: number): Fact {
  return { seq, at: seq * 1000, type: 'note', subject: 'console', data: { by: 'Ana', text: `n${seq}` } };
}
const seqs = (facts: readonly Fact[]) => facts.map((fact) => fact.seq);

describe('mergeSnapshot', () => {
  it('keeps one copy of a fact that a reconnect sends again, in order', () => {
    const first = mergeSnapshot(EMPTY_FACT_LOG, [makeFact(1), makeFact(2)], false);
    const second = mergeSnapshot(first, [makeFact(3), makeFact(2)], false);
    expect(seqs(second.facts)).toEqual([1, 2, 3]);
    expect(second.lastSeq).toBe(3);
  });

  it('remembers where older facts are gone', () => {
    const first = mergeSnapshot(EMPTY_FACT_LOG, [makeFact(4)], true);
    expect(first.gaps).toEqual([]);
    expect(mergeSnapshot(first, [makeFact(9)], true).gaps).toEqual([4]);
  });

  it('keeps the newest when there are too many', () => {
    const many = Array.from({ length: FACTS_KEPT + 5 }, (_, index) => makeFact(index + 1));
    const log = mergeSnapshot(EMPTY_FACT_LOG, many, false);
    expect(log.facts).toHaveLength(FACTS_KEPT);
    expect(log.facts[0]?.seq).toBe(6);
  });
});

describe('appendFact', () => {
  it('appends the next fact and ignores a repeat', () => {
    const one = appendFact(EMPTY_FACT_LOG, makeFact(7));
    expect(one.outcome).toBe('appended');
    const two = appendFact(one.log, makeFact(8));
    expect(seqs(two.log.facts)).toEqual([7, 8]);
    const again = appendFact(two.log, makeFact(8));
    expect(again.outcome).toBe('repeated');
    expect(again.log).toBe(two.log);
  });

  it('reports a hole and leaves the log for the snapshot to fill', () => {
    const one = appendFact(EMPTY_FACT_LOG, makeFact(7)).log;
    const jumped = appendFact(one, makeFact(9));
    expect(jumped.outcome).toBe('missing');
    const filled = mergeSnapshot(jumped.log, [makeFact(8), makeFact(9)], false);
    expect(seqs(filled.facts)).toEqual([7, 8, 9]);
  });
});
