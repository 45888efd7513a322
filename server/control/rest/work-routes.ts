import { z } from 'zod';
import type { BreakerCommand } from '../../../lib/protocol/events.ts';
import type { AgentGateway } from '../agent-gateway.ts';
import type { FactLog } from '../fact-log.ts';
import { noteData, noteSchema } from '../note.ts';
import { invalidInput, Refusal } from '../problem.ts';
import { type EndpointContext, endpoint } from './endpoint.ts';
import { dlqPageSchema, nothingSchema } from './schemas.ts';

const text = (max: number) => z.string().min(1).max(max);
const listQuery = z.strictObject({
  queue: text(100).optional(),
  faultId: text(100).optional(),
  cursor: text(500).optional(),
  limit: z.coerce.number().int().min(1).max(50).default(50),
});
const ratePerSecond = z.number().min(0.1).max(1000);
const redriveBody = z.strictObject({
  queue: text(100).optional(),
  faultId: text(100).optional(),
  signature: text(500).optional(),
  ratePerSecond: ratePerSecond.optional(),
});
const purgeQuery = z.strictObject({ reason: text(500).default('purged by hand') });
const acceptedSchema = z.object({ accepted: z.number().int() });
/** Every process of the supervisor but the control process, with which all faults would end. */
const RESTARTABLE = ['proxy', 'inference', 'pipeline', 'cameras', 'redis', 'database'] as const;
const COMMANDS: readonly BreakerCommand[] = ['open', 'close', 'reset'];

/** Commands for the pipeline: dead letters and breakers; a process to restart; and notes in the story. */
export function addWorkRoutes(context: EndpointContext, agents: AgentGateway, log: FactLog): void {
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
      method: 'post',
      path: '/api/v1/dlq/redrive',
      summary: 'Re-drives all dead letters that match, at a rate',
      body: redriveBody,
      answer: acceptedSchema,
      refusals: ['PROCESS_UNAVAILABLE'],
    },
    ({ body }) => agents.command('pipeline', 'dlq:redrive', given(body)),
  );
  endpoint(
    context,
    {
      method: 'post',
      path: '/api/v1/dlq/{id}/redrive',
      summary: 'Re-drives one dead letter',
      answer: acceptedSchema,
      refusals: ['DEAD_LETTER_NOT_FOUND', 'PROCESS_UNAVAILABLE'],
    },
    async ({ param }) => {
      const answer = await agents.command('pipeline', 'dlq:redrive', { ids: [param('id')] });
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
      query: purgeQuery,
      answer: z.object({ purged: z.literal(true) }),
      refusals: ['DEAD_LETTER_NOT_FOUND', 'PROCESS_UNAVAILABLE'],
    },
    async ({ param, query }) => {
      const { purged } = await agents.command('pipeline', 'dlq:purge', {
        id: param('id'),
        reason: query.reason,
      });
      if (!purged) throw unknownLetter(param('id'));
      return { purged: true };
    },
  );
  endpoint(
    context,
    {
      method: 'post',
      path: '/api/v1/breakers/{name}/{command}',
      summary: 'Opens (and holds), closes or resets a circuit breaker by hand',
      answer: nothingSchema,
      refusals: ['BREAKER_NOT_FOUND', 'PROCESS_UNAVAILABLE'],
    },
    async ({ param }) => {
      const name = param('name');
      const command = COMMANDS.find((each) => each === param('command'));
      if (!command) throw invalidInput('command', param('command'), `one of ${COMMANDS.join(', ')}`);
      const { done } = await agents.command('pipeline', 'breaker:command', { name, command });
      if (!done) throw new Refusal('BREAKER_NOT_FOUND', `There is no circuit breaker ${name.slice(0, 100)}`);
      return {};
    },
  );
  endpoint(
    context,
    {
      method: 'post',
      path: '/api/v1/processes/{name}/restart',
      summary: 'Kills a process and starts it again at once, for what a fault has left in it',
      answer: nothingSchema,
      refusals: ['PROCESS_UNAVAILABLE'],
    },
    async ({ param, operator }) => {
      const name = RESTARTABLE.find((each) => each === param('name'));
      if (!name) throw invalidInput('name', param('name'), `one of ${RESTARTABLE.join(', ')}`);
      const { done } = await agents.command('supervisor', 'process:restart', { process: name });
      if (!done) throw new Refusal('PROCESS_UNAVAILABLE', `${name} is not run by this system`);
      log.tell('note', operator, { by: operator, text: `restarted the ${name} process` });
      return {};
    },
  );
  endpoint(
    context,
    {
      method: 'post',
      path: '/api/v1/notes',
      summary: 'Writes a note into the story',
      body: noteSchema,
      status: 201,
      answer: z.object({ seq: z.number().int() }),
    },
    ({ body, operator }) => ({ seq: log.tell('note', operator, noteData(operator, body)).seq }),
  );
}

/** Only what was really given: an absent field is absent, not undefined. */
function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

function unknownLetter(id: string): Refusal {
  return new Refusal('DEAD_LETTER_NOT_FOUND', `There is no dead letter ${id.slice(0, 100)}`);
}
