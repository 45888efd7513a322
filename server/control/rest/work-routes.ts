import { z } from 'zod';
import type { BreakerCommand } from '../../../lib/protocol/events.ts';
import type { AgentGateway } from '../agent-gateway.ts';
import type { FactLog } from '../fact-log.ts';
import { noteData, noteSchema } from '../note.ts';
import { invalidInput, Refusal } from '../problem.ts';
import { type EndpointContext, endpoint } from './endpoint.ts';
import { nothingSchema } from './schemas.ts';

/** Every process of the supervisor but the control process, with which all faults would end. */
const RESTARTABLE = ['proxy', 'inference', 'pipeline', 'cameras', 'redis', 'database'] as const;
const COMMANDS: readonly BreakerCommand[] = ['open', 'close', 'reset'];

/** Breakers of the pipeline by hand, a process to restart, and notes in the story. */
export function addWorkRoutes(context: EndpointContext, agents: AgentGateway, log: FactLog): void {
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
