import { describe, expect, it } from 'vitest';
import { FACT_FILTER_NONE } from '#lib/protocol/fact-filter.ts';
import type { Fact } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import { faultsOf, readFilter, selectFacts, typeWords } from './fact-selection.ts';

function note(at: number): Fact {
  return { seq: at, at, type: 'note', subject: 'Ana', data: { by: 'Ana', text: `n${at}` } };
}
function alert(at: number): Fact {
  return {
    seq: at,
    at,
    type: 'alert',
    subject: 'disk',
    data: { code: 'X', service: null, count: 1, text: '' },
  };
}
const fault = (id: string, startedAt: number) =>
  ({ id, startedAt, service: 'redis', title: 'Server error' }) as Fault;

describe('selectFacts', () => {
  it('gives the window newest first and counts what the filter keeps out', () => {
    const facts = [note(1), note(2), alert(3), note(4), note(5)];
    const { shown, hidden } = selectFacts(
      facts,
      { fromAt: 2, toAt: 4 },
      { ...FACT_FILTER_NONE, types: ['note'] },
    );
    expect(shown.map((fact) => fact.seq)).toEqual([4, 2]);
    expect(hidden).toBe(1);
  });
});

describe('faultsOf', () => {
  it('offers each fault once, newest first, those from before the window included', () => {
    const facts: Fact[] = [
      { seq: 1, at: 5_000, type: 'faultStarted', subject: 'redis', data: { fault: fault('b', 5_000) } },
    ];
    const offered = faultsOf(facts, [fault('a', 1_000), fault('b', 5_000)]);
    expect(offered.map(({ id }) => id)).toEqual(['b', 'a']);
    expect(offered[0]?.words).toMatch(/^redis server error, \d\d:\d\d:\d\d$/);
  });
});

describe('readFilter', () => {
  it('takes one of each and names what does not exist', () => {
    const { filter, problem } = readFilter(new URLSearchParams('type=note&service=redis&fault=f1'));
    expect([filter, problem]).toEqual([{ types: ['note'], services: ['redis'], faultId: 'f1' }, null]);
    const bad = readFilter(new URLSearchParams('type=gossip&service=oracle'));
    expect(bad.filter).toEqual(FACT_FILTER_NONE);
    expect(bad.problem).toBe('type=gossip is no type of fact; service=oracle is no service');
  });
});

describe('typeWords', () => {
  it('sets the words of a type apart', () => {
    expect(typeWords('deadLetterRedriven')).toBe('dead letter redriven');
  });
});
