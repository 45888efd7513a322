import type { IncomingMessage, ServerResponse } from 'node:http';
import type { State } from '../../lib/protocol/state.ts';
import type { Logger } from '../logging.ts';
import { type Access, isLoopback } from './access.ts';
import type { FaultDesk } from './fault-desk.ts';
import { serveHaltPage } from './halt-page.ts';
import { serveLoginPage } from './login-page.ts';
import type { Metrics } from './metrics.ts';
import type { Pages } from './next-pages.ts';
import { Refusal, toProblem } from './problem.ts';

export interface HttpFrontOptions {
  access: Access;
  rest: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  metrics: Metrics;
  desk: FaultDesk;
  state: () => State;
  /** null: no console is served, only its API. */
  pages: () => Pages | null;
  logger: Logger;
}

const SAFE_METHODS = ['GET', 'HEAD'];

/**
 * Who answers a request, and whether it may be answered at all:
 *
 *     Host ──► /login ──► /halt ──► token ──► /api/v1 ──► /metrics ──► pages (Next)
 *
 * What changes something is refused to pages of other origins before anything of it is read.
 */
export function createHttpFront(options: HttpFrontOptions) {
  const { logger } = options;
  return (request: IncomingMessage, response: ServerResponse): void => {
    route(options, request, response).catch((error: unknown) => {
      const problem = toProblem(error, (unknown) =>
        logger.error({ err: unknown, url: request.url }, 'request failed'),
      );
      if (response.headersSent) {
        response.destroy();
        return;
      }
      // An unread body would be taken for the next request on this connection.
      response.writeHead(problem.status, {
        'Content-Type': 'application/problem+json',
        'Cache-Control': 'no-store',
        Connection: 'close',
      });
      response.end(JSON.stringify(problem));
    });
  };
}

async function route(
  { access, rest, metrics, desk, state, pages }: HttpFrontOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const isSafe = SAFE_METHODS.includes(request.method ?? '');
  const isPage = !path.startsWith('/api/') && path !== '/metrics';
  access.checkHost(request.headers);
  if (!isSafe) access.checkOrigin(request.headers);
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('X-Frame-Options', 'DENY');
  response.setHeader('Referrer-Policy', 'same-origin');

  if (path === '/login' && access.needsToken) return serveLoginPage(request, response, access);
  const haltsFromHere = path === '/halt' && isLoopback(request);
  if (!haltsFromHere && !path.startsWith('/_next/static/')) {
    try {
      access.checkToken(request.headers);
    } catch (error) {
      if (!isPage || !isSafe) throw error;
      response.writeHead(303, { Location: '/login' });
      response.end();
      return;
    }
  }
  if (path === '/halt') return serveHaltPage(request, response, { desk, state });
  if (path.startsWith('/api/')) return rest(request, response);
  if (path === '/metrics') {
    const { body, contentType } = await metrics.text();
    response.writeHead(200, { 'Content-Type': contentType, 'Cache-Control': 'no-store' });
    response.end(body);
    return;
  }
  const served = pages();
  if (!served) throw new Refusal('NOT_FOUND', `There is nothing at ${path.slice(0, 200)}`);
  if (!isSafe) throw methodRefusal(request.method ?? '', path);
  await served.handle(request, response);
}

function methodRefusal(method: string, path: string): Refusal {
  return new Refusal('METHOD_NOT_ALLOWED', `${method} does not fit ${path.slice(0, 200)}`, {
    field: 'method',
    value: method,
    allowed: 'GET, HEAD',
  });
}
