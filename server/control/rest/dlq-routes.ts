import { z } from 'zod';
import {
  type DlqFilter,
  type DlqTaken,
  REDRIVE_RATE_MAX,
  REDRIVE_RATE_MIN,
} from '../../../lib/protocol/dead-letters.ts';
import type { AgentGateway } from '../agent-gateway.ts';
import { Refusal } from '../problem.ts';
import { exportLetters, staleMark } from './dlq-export.ts';
import { type EndpointContext, endpoint } from './endpoint.ts';
import { queryInteger } from './query-number.ts';
import { dlqGroupsSchema, dlqPageSchema, dlqTakenSchema, letterTaskSchema } from './schemas.ts';

const text = (max: number) => z.string().min(1).max(max);
const filter = { queue: text(100).optional(), faultId: text(100).optional() };
const signature = text(500).optional();
const mark = z
  .string()
  .regex(/^[0-9a-f]{8}-\d{1,15}$/, 'the mark of GET /api/v1/dlq/groups')
  .meta({ description: 'Stands for the letters that waited when it was given' });
const listQuery = z.strictObject({
  ...filter,
  signature,
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, 'the nextCursor of the page before')
    .optional(),
  limit: queryInteger(1, 50).default(50),
});
const exportQuery = z.strictObject({ ...filter, signature, mark: mark.optional() });
const redriveBody = z.strictObject({
  ...filter,
  signature,
  ratePerSecond: z.number().min(REDRIVE_RATE_MIN).max(REDRIVE_RATE_MAX).optional(),
});
const reason = text(500).default('purged by hand');
const purgeBody = z.strictObject({ ...filter, signature, mark, reason });
const TASK_REFUSALS = ['BREAKER_OPEN', 'TASK_RUNNING', 'NOT_REDRIVABLE', 'PROCESS_UNAVAILABLE'] as const;

/** Dead letters: look, group, export, give back, purge. They are the pipeline's, which does it all. */
export function addDlqRoutes(context: EndpointContext, agents: AgentGateway): void {
  endpoint(
    context,
    {
      method: 'get',
      path: '/api/v1/dlq',
      summary: 'Dead letters, newest first; looking has no side effect',
      query: listQuery,
      answer: dlqPageSchema,
      refusals: ['PROCESS_UNAVAILABLE'],
    },
    ({ query }) => agents.command('pipeline', 'dlq:list', given(query)),
  );
  endpoint(
    context,
    {
      method: 'get',
      path: '/api/v1/dlq/groups',
      summary: 'The newest 1000 dead letters that match, grouped by queue and error signature',
      query: z.strictObject(filter),
      answer: dlqGroupsSchema,
      refusals: ['PROCESS_UNAVAILABLE'],
    },
    ({ query }) => agents.command('pipeline', 'dlq:groups', given(query)),
  );
  endpoint(
    context,
    {
      method: 'get',
      path: '/api/v1/dlq/export',
      summary: 'All dead letters that match, as lines of JSON, newest first',
      query: exportQuery,
      answer: z.string(),
      answerType: 'application/x-ndjson',
      refusals: ['PROCESS_UNAVAILABLE'],
    },
    ({ query }) => exportLetters(agents, given(query)),
  );
  endpoint(
    context,
    {
      method: 'post',
      path: '/api/v1/dlq/redrive',
      summary: 'Re-drives all dead letters that match, at a rate; one task a queue',
      body: redriveBody,
      answer: dlqTakenSchema,
      refusals: TASK_REFUSALS,
    },
    async ({ body, operator }) =>
      taken(await agents.command('pipeline', 'dlq:redrive', { ...given(body), by: operator })),
  );
  endpoint(
    context,
    {
      method: 'post',
      path: '/api/v1/dlq/purge',
      summary: 'Purges all dead letters that match and that the mark stands for; one task a queue',
      body: purgeBody,
      answer: dlqTakenSchema,
      refusals: TASK_REFUSALS,
    },
    async ({ body, operator }) => {
      const answer = await agents.command('pipeline', 'dlq:purgeAll', { ...given(body), by: operator });
      if (!answer) throw staleMark(body.mark);
      return taken(answer);
    },
  );
  endpoint(
    context,
    {
      method: 'delete',
      path: '/api/v1/dlq/tasks/{queue}',
      summary: 'Ends the re-drive or purge of a queue where it is; what it did stays done',
      answer: letterTaskSchema,
      refusals: ['TASK_NOT_FOUND', 'PROCESS_UNAVAILABLE'],
    },
    async ({ param, operator }) => {
      const queue = param('queue');
      const { task } = await agents.command('pipeline', 'dlq:cancel', { queue, by: operator });
      if (!task)
        throw new Refusal('TASK_NOT_FOUND', `Nothing is being done with all of ${queue.slice(0, 100)}`);
      return task;
    },
  );
  endpoint(
    context,
    {
      method: 'post',
      path: '/api/v1/dlq/{id}/redrive',
      summary: 'Re-drives one dead letter',
      answer: dlqTakenSchema,
      refusals: ['DEAD_LETTER_NOT_FOUND', ...TASK_REFUSALS],
    },
    async ({ param, operator }) => {
      const answer = taken(
        await agents.command('pipeline', 'dlq:redrive', { ids: [param('id')], by: operator }),
      );
      if (answer.accepted === 0) throw unknownLetter(param('id'));
      return answer;
    },
  );
  endpoint(
    context,
    {
      method: 'delete',
      path: '/api/v1/dlq/{id}',
      summary: 'Purges one dead letter, with a reason',
      query: z.strictObject({ reason }),
      answer: z.object({ purged: z.literal(true) }),
      refusals: ['DEAD_LETTER_NOT_FOUND', 'PROCESS_UNAVAILABLE'],
    },
    async ({ param, query }) => {
      const id = param('id');
      const { purged } = await agents.command('pipeline', 'dlq:purge', { id, reason: query.reason });
      if (!purged) throw unknownLetter(id);
      return { purged: true };
    },
  );
}

/** Taken on in part is an answer; not at all is a refusal. @throws {Refusal} */
function taken(answer: DlqTaken): DlqTaken {
  const [first] = answer.refused;
  if (answer.accepted > 0 || !first) return answer;
  const { code, why, queue } = first;
  const of = answer.refused.length > 1 ? ` (and ${answer.refused.length - 1} more queues)` : '';
  throw new Refusal(code, `${why}${of}`, { field: 'queue', value: queue });
}

/** Only what was really given: an absent field is absent, not undefined. */
function given<T extends DlqFilter>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

function unknownLetter(id: string): Refusal {
  return new Refusal('DEAD_LETTER_NOT_FOUND', `There is no dead letter ${id.slice(0, 100)}`);
}
