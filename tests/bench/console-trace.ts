import type { ProbedPage } from './console-page.ts';

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** µs */
  ts: number;
  dur?: number;
  args?: { name?: string; data?: { functionName?: string; url?: string } };
}

const SHOWN = 5;
const TASK = /RunTask$/;

/** What kept the main thread of the page longest, and what of it was the largest part: a CDP trace in words. */
export async function longestTasks(page: ProbedPage, forMs: number): Promise<string> {
  const events: TraceEvent[] = [];
  page.cdp.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])));
  await page.cdp.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: ['toplevel', 'devtools.timeline'] },
  });
  await new Promise((resolve) => setTimeout(resolve, forMs));
  const complete = new Promise((resolve) => page.cdp.once('Tracing.tracingComplete', resolve));
  await page.cdp.send('Tracing.end');
  await complete;
  return inWords(events, forMs);
}

/** Of the renderer main thread with the most work: the browser's first empty page has one as well. */
export function inWords(events: readonly TraceEvent[], forMs: number): string {
  const threads = events.filter(
    ({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain',
  );
  const tasksOf = ({ pid, tid }: TraceEvent) =>
    events.filter((each) => each.pid === pid && each.tid === tid && each.dur !== undefined);
  const work = threads.map(tasksOf).sort((a, b) => b.length - a.length)[0] ?? [];
  const tasks = work.filter(({ name }) => TASK.test(name)).sort((a, b) => (b.dur ?? 0) - (a.dur ?? 0));
  const longest = tasks.slice(0, SHOWN).map((task) => {
    const part = largestPart(task, work);
    return `${ms(task)} ms${part ? ` (${part.name} ${ms(part)} ms${placeOf(part)})` : ''}`;
  });
  return `Longest tasks of the main thread in a trace of ${Math.round(forMs / 1000)} s: ${longest.join(', ') || 'none'}.`;
}

function largestPart(task: TraceEvent, work: readonly TraceEvent[]): TraceEvent | undefined {
  const end = task.ts + (task.dur ?? 0);
  return work
    .filter(({ name, ts, dur }) => !TASK.test(name) && ts >= task.ts && ts + (dur ?? 0) <= end)
    .sort((a, b) => (b.dur ?? 0) - (a.dur ?? 0))[0];
}

const ms = ({ dur }: TraceEvent) => ((dur ?? 0) / 1000).toFixed(1);

function placeOf({ args }: TraceEvent): string {
  const { functionName, url } = args?.data ?? {};
  const file = url?.split('/').at(-1)?.split('?')[0];
  const place = [functionName, file].filter(Boolean).join(' in ');
  return place ? `, ${place}` : '';
}
