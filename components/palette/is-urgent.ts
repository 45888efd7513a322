import type { Fact } from '#lib/protocol/facts.ts';
import { MODES } from '#lib/protocol/state.ts';

/** What a screen reader must tell at once: nothing works any more, or work is lost. */
export function isUrgent(fact: Fact): boolean {
  if (fact.type === 'modeChanged') return fact.data.to === MODES.at(-1);
  return fact.type === 'ledgerChanged' && fact.data.verdict === 'LOSS';
}
