import type { Problem } from '#lib/protocol/errors.ts';
import type { Series } from '#lib/protocol/metrics.ts';
import type { TimelineWindow } from '#lib/protocol/timeline.ts';
import { describeProblem } from '../stores/faults-store.ts';
import { type Range, seriesPaths, windowPath } from './history-paths.ts';

const TIMEOUT_MS = 8_000;

/** What the server says no with, in words. */
export class HistoryError extends Error {
  readonly problem: Problem | null;

  constructor(text: string, problem: Problem | null) {
    super(text);
    this.problem = problem;
  }
}

/**
 * A GET whose refusal is readable.
 * @throws {HistoryError}
 */
export async function getHistory(path: string, signal?: AbortSignal): Promise<Response> {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(path, { signal: signal ? AbortSignal.any([signal, limit]) : limit });
  } catch {
    throw new HistoryError('The control process did not answer', null);
  }
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => null);
  throw isProblem(body)
    ? new HistoryError(describeProblem(body), body)
    : new HistoryError(`The control process answered ${response.status}`, null);
}

/** Without the schema: it would bring its library, 47 kB, into the first load. */
function isProblem(body: unknown): body is Problem {
  return (
    typeof body === 'object' &&
    body !== null &&
    'code' in body &&
    typeof body.code === 'string' &&
    'detail' in body &&
    typeof body.detail === 'string'
  );
}

/** What the charts draw, at a step. */
export async function fetchSeries(range: Range, stepMs: number): Promise<Series[]> {
  const answers = await Promise.all(
    seriesPaths(range, stepMs).map(async (path) => {
      const response = await getHistory(path);
      return ((await response.json()) as { series: Series[] }).series;
    }),
  );
  return answers.flat();
}

/** Every fact of a stretch of time, page by page, with what held at its start. */
export async function fetchWindow(range: Range): Promise<TimelineWindow> {
  let window: TimelineWindow | null = null;
  for (;;) {
    // The first answer says what its range was; the pages after it are of the same one.
    const asked: Range = window ? { fromMs: window.fromMs, toMs: window.toMs } : range;
    const response = await getHistory(windowPath(asked, window?.facts.at(-1)?.seq ?? 0));
    const page = (await response.json()) as TimelineWindow;
    window = window
      ? { ...page, facts: [...window.facts, ...page.facts], gap: window.gap || page.gap }
      : page;
    if (!page.more) return window;
  }
}
