import { create } from 'zustand';
import type { Catalogue } from '#lib/protocol/faults.ts';
import { CATALOGUE_PATH } from '../first-requests.ts';

type CatalogueStore =
  | { phase: 'loading'; catalogue: null; error: null }
  | { phase: 'failed'; catalogue: null; error: string }
  | { phase: 'loaded'; catalogue: Catalogue; error: null };

export const useCatalogue = create<CatalogueStore>(() => ({
  phase: 'loading',
  catalogue: null,
  error: null,
}));

/** Pause before a catalogue that did not come is asked for again. */
const AGAIN_MS = 2_000;

/** Loads the catalogue once; a failure is shown, and tried again until it comes. */
export async function loadCatalogue(): Promise<void> {
  if (useCatalogue.getState().phase === 'loaded') return;
  try {
    const response = await fetch(CATALOGUE_PATH, { signal: AbortSignal.timeout(5_000) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const catalogue = (await response.json()) as Catalogue;
    useCatalogue.setState({ phase: 'loaded', catalogue, error: null });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    useCatalogue.setState({ phase: 'failed', catalogue: null, error: text });
    setTimeout(() => void loadCatalogue(), AGAIN_MS); // a desk must not stay empty because one answer was late
  }
}
