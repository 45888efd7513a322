import { setImmediate as nextTurn } from 'node:timers/promises';
import { faultIdsOf, servicesOf } from '../../lib/protocol/fact-filter.ts';
import type { Fact } from '../../lib/protocol/facts.ts';
import type { Series } from '../../lib/protocol/metrics.ts';
import type { TimelineWindow } from '../../lib/protocol/timeline.ts';
import { csvText } from './csv.ts';

type Row = readonly (string | number | null)[];

export const EXPORT_FORMATS = ['csv', 'json'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

const TYPE: Record<ExportFormat, string> = {
  csv: 'text/csv; charset=utf-8',
  json: 'application/json',
};

/** Rows written in one turn of the event loop; a few milliseconds. */
const ROWS_PER_TURN = 500;

/**
 * A file to save, made part by part as its reader reads: halts and ticks go between two parts. Its name says what it
 * holds and from when, UTC.
 */
export function fileResponse(
  subject: 'facts' | 'series',
  format: ExportFormat,
  range: { fromMs: number; toMs: number },
  parts: Iterator<string>,
): Response {
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = parts.next();
        if (done) controller.close();
        else controller.enqueue(Buffer.from(value));
        await nextTurn();
      },
    },
    { highWaterMark: 0 },
  );
  const name = `brownout-${subject}-${stamp(range.fromMs)}-${stamp(range.toMs)}.${format}`;
  return new Response(body, {
    headers: {
      'Content-Type': TYPE[format],
      'Content-Disposition': `attachment; filename="${name}"`,
      'Cache-Control': 'no-store',
    },
  });
}

/** `20261122T140307Z` */
function stamp(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

const FACT_COLUMNS = ['seq', 'time', 'epochMs', 'type', 'subject', 'services', 'faultIds', 'data'];

export function* factsCsv(facts: readonly Fact[]): Generator<string> {
  yield csvText([FACT_COLUMNS]);
  for (const some of slices(facts)) yield csvText(some.map(factRow));
}

function factRow(fact: Fact): Row {
  return [
    fact.seq,
    new Date(fact.at).toISOString(),
    fact.at,
    fact.type,
    fact.subject,
    servicesOf(fact).join(' '),
    faultIdsOf(fact).join(' '),
    JSON.stringify(fact.data),
  ];
}

export function* factsJson({ fromMs, toMs, facts, standing, gap }: TimelineWindow): Generator<string> {
  yield `${JSON.stringify({ fromMs, toMs, gap, standing }).slice(0, -1)},"facts":[`;
  let before = '';
  for (const some of slices(facts)) {
    yield before + some.map((fact) => JSON.stringify(fact)).join(',');
    before = ',';
  }
  yield ']}';
}

/** One row a step, one column a series with its unit; a gap is an empty cell. */
export function* seriesCsv(series: readonly Series[]): Generator<string> {
  const [first] = series;
  yield csvText([
    ['time', 'epochMs', ...series.map(({ name, unit }) => (unit ? `${name} (${unit})` : name))],
  ]);
  const steps = (first?.values ?? []).map((_value, index) => index);
  for (const some of slices(steps)) {
    yield csvText(
      some.map((index) => {
        const at = (first?.startAt ?? 0) + index * (first?.stepMs ?? 0);
        return [new Date(at).toISOString(), at, ...series.map(({ values }) => values[index] ?? null)];
      }),
    );
  }
}

export function* seriesJson(
  { fromMs, toMs }: { fromMs: number; toMs: number },
  series: readonly Series[],
): Generator<string> {
  yield `{"fromMs":${fromMs},"toMs":${toMs},"series":[`;
  for (const [index, each] of series.entries()) yield (index === 0 ? '' : ',') + JSON.stringify(each);
  yield ']}';
}

function* slices<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += ROWS_PER_TURN) yield all.slice(from, from + ROWS_PER_TURN);
}
