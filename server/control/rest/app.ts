import { OpenAPIHono } from '@hono/zod-openapi';
import type { Logger } from '../../logging.ts';
import type { AgentGateway } from '../agent-gateway.ts';
import type { FaultDesk } from '../fault-desk.ts';
import { makeProblem, toProblem } from '../problem.ts';
import { addDlqRoutes } from './dlq-routes.ts';
import { type EndpointContext, problemResponse } from './endpoint.ts';
import { addFaultRoutes } from './fault-routes.ts';
import { addFaultTypeSchemas } from './fault-type-schemas.ts';
import { Idempotency } from './idempotency.ts';
import { addReadRoutes, type ReadSources } from './read-routes.ts';
import { addTimelineRoutes } from './timeline-routes.ts';
import { addWorkRoutes } from './work-routes.ts';

export interface RestSources extends ReadSources {
  desk: FaultDesk;
  agents: AgentGateway;
  logger: Logger;
  onCommand: (command: string, outcome: string) => void;
}

/** `/api/v1`: everything the console can do, for scripts, and its OpenAPI document. */
export function createRestApp(sources: RestSources): OpenAPIHono {
  const { logger, onCommand } = sources;
  const app = new OpenAPIHono();
  const context: EndpointContext = { app, idempotency: new Idempotency(), logger, onCommand };
  addFaultRoutes(context, sources.desk);
  addReadRoutes(context, sources);
  addDlqRoutes(context, sources.agents);
  addWorkRoutes(context, sources.agents, sources.log);
  addTimelineRoutes(context, sources);

  const document = addFaultTypeSchemas(
    app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: {
        title: 'Brownout',
        version: '1',
        description: 'Break a running system on purpose, and stop at once.',
      },
    }),
  );
  app.get('/api/v1/openapi.json', (c) => c.json(document));

  app.notFound((c) => {
    const allowed = methodsFor(app, c.req.path);
    if (allowed.length === 0)
      return problemResponse(makeProblem('NOT_FOUND', `There is nothing at ${c.req.path.slice(0, 200)}`));
    const problem = makeProblem(
      'METHOD_NOT_ALLOWED',
      `${c.req.method} does not fit ${c.req.path.slice(0, 200)}`,
      {
        field: 'method',
        value: c.req.method,
        allowed: allowed.join(', '),
      },
    );
    return problemResponse(problem, { Allow: allowed.join(', ') });
  });
  app.onError((error) =>
    problemResponse(toProblem(error, (unknown) => logger.error({ err: unknown }, 'call failed'))),
  );
  return app;
}

function methodsFor(app: OpenAPIHono, path: string): string[] {
  const fitting = app.routes.filter(
    (route) =>
      route.method !== 'ALL' && new RegExp(`^${route.path.replaceAll(/:\w+/g, '[^/]+')}$`).test(path),
  );
  return [...new Set(fitting.map((route) => route.method))];
}
