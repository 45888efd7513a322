import { create } from 'zustand';
import { FACT_FILTER_NONE, type FactFilter } from '#lib/protocol/fact-filter.ts';

interface FactFilterStore {
  filter: FactFilter;
  /** The fact that the address points at. */
  selectedSeq: number | null;
}

/** What of the facts is listed, and exported. */
export const useFactFilter = create<FactFilterStore>(() => ({ filter: FACT_FILTER_NONE, selectedSeq: null }));

export function setFilter(part: Partial<FactFilter>): void {
  useFactFilter.setState(({ filter }) => ({ filter: { ...filter, ...part } }));
}
