import { WINDOWS_MS } from '../stores/view-store.ts';

/** How far back samples are kept. */
export const KEPT_MS = 24 * 60 * 60_000;

export interface Moment {
  /** Epoch ms; null: the present. */
  at: number | null;
  windowMs: number | null;
  /** A fact to point at. */
  seq: number | null;
  /** What of the address makes no sense; the rest still counts. */
  problem: string | null;
}

const DIGITS = /^\d{1,15}$/;

/** Reads `?at=&window=&fact=`: epoch milliseconds or ISO 8601, minutes, a sequence number. */
export function readMoment(query: URLSearchParams, now: number): Moment {
  const problems: string[] = [];
  const text = query.get('at');
  let at: number | null = null;
  if (text !== null) {
    const parsed = DIGITS.test(text) ? Number(text) : Date.parse(text);
    if (Number.isNaN(parsed))
      problems.push(`at=${text.slice(0, 40)} is no moment: expected ISO 8601 or epoch milliseconds`);
    else if (parsed > now) problems.push(`at=${text.slice(0, 40)} lies in the future`);
    else at = parsed;
  }
  const minutes = query.get('window');
  const windowMs = WINDOWS_MS.find((each) => String(each / 60_000) === minutes) ?? null;
  if (minutes !== null && windowMs === null)
    problems.push(
      `window=${minutes.slice(0, 20)} is none of ${WINDOWS_MS.map((each) => each / 60_000).join(', ')} minutes`,
    );
  const fact = query.get('fact');
  const seq = fact !== null && DIGITS.test(fact) ? Number(fact) : null;
  if (fact !== null && seq === null) problems.push(`fact=${fact.slice(0, 20)} is no number of a fact`);
  return { at, windowMs, seq, problem: problems.join('; ') || null };
}

/** The address of a moment, for another browser to open. */
export function momentPath(at: number, windowMs: number, seq?: number): string {
  const query = new URLSearchParams({
    at: new Date(at).toISOString(),
    window: String(windowMs / 60_000),
    ...(seq === undefined ? {} : { fact: String(seq) }),
  });
  return `/timeline?${query}`;
}

/** End of a window that has a moment in its middle, or of the live one when that would end in the future. */
export function endAround(at: number, windowMs: number, now: number): number | null {
  const end = at + windowMs / 2;
  return end >= now ? null : end;
}

/** End of the window within what is kept; null is live. Closer to now than a second counts as now. */
export function clampEnd(toAt: number, windowMs: number, now: number): number | null {
  if (toAt >= now - 1_000) return null;
  return Math.max(toAt, now - KEPT_MS + windowMs);
}
