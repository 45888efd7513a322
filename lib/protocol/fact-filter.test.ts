import { describe, expect, it } from 'vitest';
import type { LetterTask } from './dead-letters.ts';
import { FACT_FILTER_NONE, passesFilter } from './fact-filter.ts';
import type { Fact, FactData, FactType } from './facts.ts';

function makeFact<T extends FactType>(type: T, subject: string, data: FactData[T]): Fact {
  return { seq: 1, at: 1, type, subject, data } as Fact;
}

const FACTS = {
  ended: makeFact('faultEnded', 'redis', {
    faultId: 'f1',
    service: 'redis',
    faultType: 'timeout',
    reason: 'stopped',
    hits: 1,
    by: 'Ana',
    receipt: null,
  }),
  breaker: makeFact('breakerChanged', 'yolo26', {
    breaker: 'yolo26',
    from: 'CLOSED',
    to: 'OPEN',
    reason: '',
    failures: 3,
    origin: null,
  }),
  letter: makeFact('deadLettered', 'detection', {
    id: 'd1',
    queue: 'detection',
    error: 'no',
    uploadId: null,
    faultIds: ['f1', 'f2'],
  }),
  mode: makeFact('modeChanged', 'mode', {
    from: 'NORMAL',
    to: 'DEGRADED',
    causes: [{ service: 'redis', origin: 'injected', text: '' }],
  }),
  task: makeFact('deadLetterTask', 'detection', { task: { faultId: 'f2' } as LetterTask }),
  note: makeFact('note', 'Ana', { by: 'Ana', text: 'seen' }),
};

function passing(filter: Partial<typeof FACT_FILTER_NONE>): string[] {
  return Object.entries(FACTS).flatMap(([name, fact]) =>
    passesFilter(fact, { ...FACT_FILTER_NONE, ...filter }) ? [name] : [],
  );
}

describe('passesFilter', () => {
  it('lets everything through when nothing is asked for', () => {
    expect(passing({})).toEqual(Object.keys(FACTS));
  });

  it('takes types, services and a fault together', () => {
    expect(passing({ types: ['note', 'modeChanged'] })).toEqual(['mode', 'note']);
    expect(passing({ services: ['redis'] })).toEqual(['ended', 'mode']);
    expect(passing({ services: ['yolo26', 'database'] })).toEqual(['breaker']);
    expect(passing({ faultId: 'f1' })).toEqual(['ended', 'letter']);
    expect(passing({ faultId: 'f2' })).toEqual(['letter', 'task']);
    expect(passing({ faultId: 'f1', types: ['deadLettered'] })).toEqual(['letter']);
    expect(passing({ faultId: 'f1', services: ['yolo26'] })).toEqual([]);
  });
});
