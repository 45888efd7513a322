import type { Problem } from '#lib/protocol/errors.ts';
import type { DeadLetter, DlqPage } from '#lib/protocol/events.ts';
import { describeProblem } from '../stores/faults-store.ts';

/** Dead letters that failed in the same way. */
export interface LetterGroup {
  signature: string;
  queue: string;
  letters: readonly DeadLetter[];
  /** Whether faults of ours were on when they failed. */
  injected: boolean;
}

/** Groups of a page by how they failed, largest first, then newest. */
export function groupLetters(letters: readonly DeadLetter[]): LetterGroup[] {
  const groups = new Map<string, DeadLetter[]>();
  for (const letter of letters) {
    const key = `${letter.queue} ${letter.signature}`;
    groups.set(key, [...(groups.get(key) ?? []), letter]);
  }
  return [...groups.values()]
    .map((group) => ({
      signature: group[0]?.signature ?? '',
      queue: group[0]?.queue ?? '',
      letters: group,
      injected: group.every((letter) => letter.faultIds.length > 0),
    }))
    .sort((a, b) => b.letters.length - a.letters.length || newest(b) - newest(a));
}

function newest(group: LetterGroup): number {
  return Math.max(...group.letters.map((letter) => letter.lastFailedAt));
}

type Answer<T> = { ok: true; data: T } | { ok: false; text: string };

async function ask<T>(method: string, path: string, body?: object): Promise<Answer<T>> {
  try {
    const response = await fetch(`/api/v1${path}`, {
      method,
      signal: AbortSignal.timeout(10_000),
      ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
    });
    const answer: unknown = await response.json();
    return response.ok
      ? { ok: true, data: answer as T }
      : { ok: false, text: describeProblem(answer as Problem) };
  } catch (error) {
    return { ok: false, text: `No answer: ${error instanceof Error ? error.message : error}` };
  }
}

/** Looks at a page of dead letters, newest first; looking has no side effect. */
export function loadLetters(cursor: string | null): Promise<Answer<DlqPage>> {
  return ask('GET', `/dlq?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`);
}

export function redriveLetter(id: string): Promise<Answer<{ accepted: number }>> {
  return ask('POST', `/dlq/${encodeURIComponent(id)}/redrive`);
}

/** Sends all that match again; an empty filter is all of them. */
export function redriveAll(
  filter: { queue?: string; signature?: string },
  ratePerSecond: number,
): Promise<Answer<{ accepted: number }>> {
  return ask('POST', '/dlq/redrive', { ...filter, ratePerSecond });
}
