import { CHARTED_METRICS } from '#lib/protocol/metrics.ts';

/** Epoch ms; what is left out the server takes from now. */
export interface Range {
  fromMs?: number;
  toMs?: number;
}

/** What is loaded on opening, and how many points of it. */
export const FIRST_SPAN_MS = 900_000;
export const POINTS = 450;

/** Series asked for at once; the server refuses more than 50. */
const NAMES_MAX = 40;

/** Where all charted series are read, at a step. */
export function seriesPaths(range: Range, stepMs: number): string[] {
  const paths: string[] = [];
  for (let from = 0; from < CHARTED_METRICS.length; from += NAMES_MAX) {
    const names = CHARTED_METRICS.slice(from, from + NAMES_MAX).join(',');
    paths.push(`/api/v1/series?${query(range, { names, stepMs: String(stepMs) })}`);
  }
  return paths;
}

/** Where the facts of a stretch of time are read, those after a sequence number. */
export function windowPath(range: Range, after: number): string {
  return `/api/v1/timeline/window?${query(range, { after: String(after) })}`;
}

function query(range: Range, more: Record<string, string>): string {
  const given = Object.entries(range).map(([name, at]) => [name, String(Math.round(at))]);
  return String(new URLSearchParams([...given, ...Object.entries(more)]));
}
