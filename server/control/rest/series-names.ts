import { METRICS } from '../../../lib/protocol/metrics.ts';
import { invalidInput } from '../problem.ts';

/** Series that one answer may have. */
export const SERIES_MAX = 50;

/**
 * Names of series, comma-separated, each once; without a text those of the charts.
 * @throws {Refusal} INVALID_INPUT for none, or more than one answer may have
 */
export function seriesNames(text: string | undefined): string[] {
  if (text === undefined) return Object.values(METRICS);
  const names = splitList(text);
  if (names.length === 0 || names.length > SERIES_MAX)
    throw invalidInput('names', names.length, `1 to ${SERIES_MAX} names`);
  return names;
}

export function splitList(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))];
}
