import { z } from 'zod';
import { FACT_SERVICES, FACT_TYPES, passesFilter } from '../../../lib/protocol/fact-filter.ts';
import { EXPORT_FORMATS, factsCsv, factsJson, fileResponse, seriesCsv, seriesJson } from '../export-files.ts';
import { readFactWindow } from '../fact-window.ts';
import { MAX_POINTS, MAX_RANGE_MS, readHistory } from '../history.ts';
import { invalidInput, Refusal } from '../problem.ts';
import { type EndpointContext, endpoint } from './endpoint.ts';
import { queryInteger } from './query-number.ts';
import type { ReadSources } from './read-routes.ts';
import { timelineWindowSchema } from './schemas.ts';
import { SERIES_MAX, seriesNames, splitList } from './series-names.ts';

/** Facts in one answer of the window, and in one exported file. */
const WINDOW_FACTS = 5000;
const EXPORT_FACTS = 100_000;
const EXPORT_STEP_MS = 1000;
const EXPORT_RANGE_MS = 15 * 60 * 1000;

const epochMs = queryInteger(0);
const range = {
  fromMs: epochMs.optional().meta({ description: 'Epoch ms; default 15 minutes before the end' }),
  toMs: epochMs.optional().meta({ description: 'Epoch ms; default now' }),
};
const windowQuery = z.strictObject({
  ...range,
  after: queryInteger(0).optional(),
  limit: queryInteger(1, WINDOW_FACTS).default(WINDOW_FACTS),
});
const format = z.enum(EXPORT_FORMATS).default('csv');
const list = z.string().max(4000).optional();
const factsQuery = z.strictObject({
  ...range,
  format,
  types: list.meta({ description: 'Types of facts, comma-separated; default all' }),
  services: list.meta({ description: 'Services, comma-separated; default all' }),
  faultId: z.string().min(1).max(100).optional(),
});
const seriesQuery = z.strictObject({
  ...range,
  format,
  names: list.meta({
    description: `Series, comma-separated, at most ${SERIES_MAX}; default those of the charts`,
  }),
  stepMs: queryInteger(250, 3_600_000).optional(),
});

/** A stretch of the past: its facts with what held at its start, and both, facts and series, as files. */
export function addTimelineRoutes(context: EndpointContext, sources: ReadSources): void {
  const { hub, recorder, log, state } = sources;
  endpoint(
    context,
    {
      method: 'get',
      path: '/api/v1/timeline/window',
      summary: 'Facts of a stretch of time, and what held at its start',
      query: windowQuery,
      answer: timelineWindowSchema,
    },
    ({ query }) => readFactWindow(log, state, Date.now(), query),
  );
  endpoint(
    context,
    {
      method: 'get',
      path: '/api/v1/export/facts',
      summary: 'Facts of a stretch of time as a CSV file, or a JSON file by `format`',
      query: factsQuery,
      answer: z.string(),
      answerType: 'text/csv',
    },
    async ({ query }) => {
      const filter = {
        types: oneOf('types', query.types, FACT_TYPES),
        services: oneOf('services', query.services, FACT_SERVICES),
        faultId: query.faultId ?? null,
      };
      const window = await readFactWindow(log, state, Date.now(), {
        fromMs: query.fromMs,
        toMs: query.toMs,
        limit: EXPORT_FACTS,
        wanted: (fact) => passesFilter(fact, filter),
      });
      if (window.more) {
        const last = window.facts.at(-1)?.at ?? window.fromMs;
        throw new Refusal('INVALID_INPUT', `More than ${EXPORT_FACTS} facts: export them in parts`, {
          field: 'toMs',
          value: window.toMs,
          allowed: `at most ${last} for this start`,
        });
      }
      const parts = query.format === 'csv' ? factsCsv(window.facts) : factsJson(window);
      return fileResponse('facts', query.format, window, parts);
    },
  );
  endpoint(
    context,
    {
      method: 'get',
      path: '/api/v1/export/series',
      summary:
        'Series of a stretch of the last 24 h as a CSV file, or JSON by `format`; an empty cell or null is a gap',
      query: seriesQuery,
      answer: z.string(),
      answerType: 'text/csv',
    },
    async ({ query }) => {
      const now = Date.now();
      const toMs = Math.min(query.toMs ?? now, now);
      const fromMs = query.fromMs ?? toMs - EXPORT_RANGE_MS;
      if (fromMs < now - MAX_RANGE_MS)
        throw invalidInput('fromMs', fromMs, `at least ${now - MAX_RANGE_MS}: samples are kept for 24 h`);
      const stepMs = query.stepMs ?? fittingStep(toMs - fromMs);
      const names = seriesNames(query.names);
      const series = await readHistory({ hub, recorder }, { names, fromMs, toMs, stepMs });
      const range = { fromMs, toMs };
      const parts = query.format === 'csv' ? seriesCsv(series) : seriesJson(range, series);
      return fileResponse('series', query.format, range, parts);
    },
  );
}

/** A second, or the finest whole number of seconds that gives no more points than one answer may have. */
function fittingStep(rangeMs: number): number {
  return Math.max(1, Math.ceil(rangeMs / (MAX_POINTS - 1) / EXPORT_STEP_MS)) * EXPORT_STEP_MS;
}

function oneOf<T extends string>(field: string, text: string | undefined, allowed: readonly T[]): T[] {
  return splitList(text ?? '').map((name) => {
    const found = allowed.find((each) => each === name);
    if (found === undefined) throw invalidInput(field, name, `among ${allowed.join(', ')}`);
    return found;
  });
}
