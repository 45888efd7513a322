import { faultIdsOf, servicesOf } from '../../lib/protocol/fact-filter.ts';
import type { Fact } from '../../lib/protocol/facts.ts';
import type { Series } from '../../lib/protocol/metrics.ts';
import type { TimelineWindow } from '../../lib/protocol/timeline.ts';
import { csvText } from './csv.ts';

export const EXPORT_FORMATS = ['csv', 'json'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

const TYPE: Record<ExportFormat, string> = {
  csv: 'text/csv; charset=utf-8',
  json: 'application/json',
};

/** A file to save; its name says what it holds and from when, UTC. */
export function fileResponse(
  subject: 'facts' | 'series',
  format: ExportFormat,
  range: { fromMs: number; toMs: number },
  body: string,
): Response {
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

export function factsCsv(facts: readonly Fact[]): string {
  return csvText([
    FACT_COLUMNS,
    ...facts.map((fact) => [
      fact.seq,
      new Date(fact.at).toISOString(),
      fact.at,
      fact.type,
      fact.subject,
      servicesOf(fact).join(' '),
      faultIdsOf(fact).join(' '),
      JSON.stringify(fact.data),
    ]),
  ]);
}

export function factsJson({ fromMs, toMs, facts, standing, gap }: TimelineWindow): string {
  return JSON.stringify({ fromMs, toMs, gap, standing, facts });
}

/** One row a step, one column a series with its unit; a gap is an empty cell. */
export function seriesCsv(series: readonly Series[]): string {
  const [first] = series;
  const head = ['time', 'epochMs', ...series.map(({ name, unit }) => (unit ? `${name} (${unit})` : name))];
  const rows = (first?.values ?? []).map((_value, index) => {
    const at = (first?.startAt ?? 0) + index * (first?.stepMs ?? 0);
    return [new Date(at).toISOString(), at, ...series.map(({ values }) => values[index] ?? null)];
  });
  return csvText([head, ...rows]);
}
