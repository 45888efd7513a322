import type { DlqFilter, DlqGroups, DlqPage, DlqTaken, LetterTask } from '#lib/protocol/dead-letters.ts';
import type { Problem } from '#lib/protocol/errors.ts';
import { useConnection } from '../stores/connection-store.ts';
import { describeProblem } from '../stores/faults-store.ts';

export type Answer<T> = { ok: true; data: T } | { ok: false; text: string };

const CALL_MS = 10_000;
/** Of 100 000 letters, on a slow disk. */
const EXPORT_MS = 120_000;

async function call(method: string, path: string, body?: object, limitMs = CALL_MS): Promise<Response> {
  return fetch(`/api/v1/dlq${path}`, {
    method,
    signal: AbortSignal.timeout(limitMs),
    headers: {
      // Headers are ASCII, names are not.
      'x-brownout-operator': encodeURIComponent(useConnection.getState().name),
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}

async function ask<T>(method: string, path: string, body?: object): Promise<Answer<T>> {
  try {
    const response = await call(method, path, body);
    const answer: unknown = await response.json();
    return response.ok
      ? { ok: true, data: answer as T }
      : { ok: false, text: describeProblem(answer as Problem) };
  } catch (error) {
    return noAnswer(error);
  }
}

function noAnswer(error: unknown): { ok: false; text: string } {
  return { ok: false, text: `No answer: ${error instanceof Error ? error.message : error}` };
}

/** `?a=1&b=2` of what is given; nothing when nothing is. */
export function queryOf(fields: Readonly<Record<string, string | null | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value) query.set(name, value);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

/** Looks at a page of 50, newest first; looking has no side effect. */
export function loadLetters(filter: DlqFilter, cursor: string | null): Promise<Answer<DlqPage>> {
  return ask('GET', queryOf({ ...filter, cursor }));
}

export function loadGroups(filter: Pick<DlqFilter, 'queue' | 'faultId'>): Promise<Answer<DlqGroups>> {
  return ask('GET', `/groups${queryOf({ ...filter })}`);
}

export function redriveLetter(id: string): Promise<Answer<DlqTaken>> {
  return ask('POST', `/${encodeURIComponent(id)}/redrive`);
}

/** Sends all that match again; an empty filter is all of them. */
export function redriveAll(filter: DlqFilter, ratePerSecond: number): Promise<Answer<DlqTaken>> {
  return ask('POST', '/redrive', { ...filter, ratePerSecond });
}

export function purgeAll(filter: DlqFilter, mark: string, reason: string): Promise<Answer<DlqTaken>> {
  return ask('POST', '/purge', { ...filter, mark, reason });
}

export function cancelTask(queue: string): Promise<Answer<LetterTask>> {
  return ask('DELETE', `/tasks/${encodeURIComponent(queue)}`);
}

export interface Exported {
  lines: Blob;
  count: number;
  /** Stands for these letters. */
  mark: string;
}

/** Every letter that matches, as lines of JSON. One that was cut off on the way is no answer. */
export async function exportLetters(filter: DlqFilter, mark?: string): Promise<Answer<Exported>> {
  try {
    const response = await call('GET', `/export${queryOf({ ...filter, mark })}`, undefined, EXPORT_MS);
    if (!response.ok) return { ok: false, text: describeProblem((await response.json()) as Problem) };
    const count = Number(response.headers.get('x-brownout-letters'));
    return {
      ok: true,
      data: {
        lines: await response.blob(),
        count,
        mark: response.headers.get('x-brownout-mark') ?? '',
      },
    };
  } catch (error) {
    return noAnswer(error);
  }
}

/** `dead-letters-detection-2026-11-22T14-03-07.jsonl` */
export function exportName(filter: DlqFilter, at: number): string {
  const when = new Date(at).toISOString().slice(0, 19).replaceAll(':', '-');
  return ['dead-letters', filter.queue, when].filter(Boolean).join('-').concat('.jsonl');
}
