import { expect, it } from 'vitest';
import type { Fact, FactData, FactType } from '#lib/protocol/facts.ts';
import { isUrgent } from './is-urgent.ts';

function makeFact<T extends FactType>(type: T, data: FactData[T]): Fact {
  return { seq: 1, at: 0, type, subject: 'x', data } as Fact;
}

it('is OFFLINE and a loss, and nothing that can wait', () => {
  const mode = (to: 'OFFLINE' | 'MINIMAL') => makeFact('modeChanged', { from: 'NORMAL', to, causes: [] });
  const ledger = (verdict: 'LOSS' | 'UNKNOWN') =>
    makeFact('ledgerChanged', { verdict, lost: 0, lostIds: [], doubled: 0 });
  expect([mode('OFFLINE'), mode('MINIMAL')].map(isUrgent)).toEqual([true, false]);
  expect([ledger('LOSS'), ledger('UNKNOWN')].map(isUrgent)).toEqual([true, false]);
});
