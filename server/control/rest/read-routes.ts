import { z } from 'zod';
import type { State } from '../../../lib/protocol/state.ts';
import { readCatalogue } from '../catalogue.ts';
import type { FactLog } from '../fact-log.ts';
import { healthSchema, readHealth } from '../health.ts';
import { readHistory } from '../history.ts';
import type { Hub } from '../hub.ts';
import type { Recorder } from '../recorder.ts';
import { type EndpointContext, endpoint } from './endpoint.ts';
import { queryInteger, queryNumber } from './query-number.ts';
import { catalogueSchema, factSchema, seriesSchema, stateSchema } from './schemas.ts';
import { seriesNames } from './series-names.ts';

export interface ReadSources {
  hub: Hub;
  recorder: Recorder;
  log: FactLog;
  state: () => State;
}

const timelineQuery = z.strictObject({
  after: queryInteger(0).default(0),
  limit: queryInteger(1, 1000).default(200),
});
const seriesQuery = z.strictObject({
  names: z.string().min(1).max(4000).meta({ description: 'Names of series, comma-separated, at most 50' }),
  fromMs: queryNumber(z.number().min(0)).optional().meta({ description: 'Epoch ms; default 15 minutes ago' }),
  toMs: queryNumber(z.number().min(0)).optional().meta({ description: 'Epoch ms; default now' }),
  stepMs: queryInteger(250, 3_600_000).optional(),
});

/** What can be seen: health, catalogue, state, story, history. */
export function addReadRoutes(context: EndpointContext, sources: ReadSources): void {
  const { hub, recorder, log, state } = sources;
  endpoint(
    context,
    {
      method: 'get',
      path: '/api/v1/health',
      summary: 'Processes and their state; 503 with the failing ones named',
      answer: healthSchema,
    },
    ({ reply }) => {
      const health = readHealth(state(), log.failing);
      if (health.status !== 'ok') reply.status(503);
      return health;
    },
  );
  endpoint(
    context,
    {
      method: 'get',
      path: '/api/v1/catalogue',
      summary: 'Services, fault types with their parameters, presets',
      answer: catalogueSchema,
    },
    () => readCatalogue(),
  );
  endpoint(
    context,
    { method: 'get', path: '/api/v1/state', summary: 'Everything as it is now', answer: stateSchema },
    () => state(),
  );
  endpoint(
    context,
    {
      method: 'get',
      path: '/api/v1/timeline',
      summary: 'Facts after a sequence number, in order',
      query: timelineQuery,
      answer: z.object({ facts: z.array(factSchema), seq: z.number(), gap: z.boolean() }),
    },
    ({ query }) => ({ ...log.since(query.after, query.limit), seq: log.seq }),
  );
  endpoint(
    context,
    {
      method: 'get',
      path: '/api/v1/series',
      summary: 'History of series, up to 24 h; null is a gap',
      query: seriesQuery,
      answer: z.object({ series: z.array(seriesSchema) }),
    },
    async ({ query }) => {
      const { fromMs, toMs, stepMs } = query;
      const names = seriesNames(query.names);
      return { series: await readHistory({ hub, recorder }, { names, fromMs, toMs, stepMs }) };
    },
  );
}
