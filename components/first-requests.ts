import { FIRST_SPAN_MS, POINTS, seriesPaths, windowPath } from './history/history-paths.ts';

export const CATALOGUE_PATH = '/api/v1/catalogue';

/** What every page asks for on opening: the head of the document asks for it before the scripts are there. */
export function firstPaths(): string[] {
  return [...seriesPaths({}, FIRST_SPAN_MS / POINTS), windowPath({}, 0), CATALOGUE_PATH];
}
