import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { FAULT_HEADER } from '#lib/chaos/faults/fault.ts';
import type { Logger } from '../logging.ts';
import { messageWithMark } from './gpu-host.ts';
import { InferenceError } from './inference-error.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly faultId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** For the log line of this call. */
  readonly log?: Readonly<Record<string, unknown>>;
}

/** `signal` aborts when the caller is gone. */
type Handler = (request: IncomingMessage, signal: AbortSignal) => Promise<HttpAnswer>;

/** Handlers by `METHOD /path`. */
export type Routes = Readonly<Record<string, Handler>>;

export interface HttpService {
  readonly port: number;
  /** Ends all connections, idle or not. */
  close(): Promise<void>;
}

export interface HttpServiceOptions {
  name: string;
  host: string;
  /** 0 takes a free one. */
  port: number;
  routes: Routes;
  logger: Logger;
}

/** Serves JSON over HTTP/1.1; every failure is an answer, one info line for each inference. */
export async function serveHttp(options: HttpServiceOptions): Promise<HttpService> {
  const { host, port } = options;
  const server = createServer((request, response) => {
    void respond(options, request, response);
  });
  server.keepAliveTimeout = 65_000; // above the clients', so that they close first and no call meets a closing socket
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) };
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

async function respond(
  { name, routes, logger }: HttpServiceOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const caller = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) caller.abort(new Error('the caller is gone'));
  });
  const startedAt = performance.now();
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const traceId = request.headers['x-trace-id'];
  let answer: HttpAnswer;
  try {
    answer = await find(routes, request.method ?? 'GET', path)(request, caller.signal);
  } catch (error) {
    if (caller.signal.aborted) {
      logger.info({ service: name, path, traceId }, 'the caller went away before the answer');
      return;
    }
    answer = failureAnswer(error, logger);
  }
  send(response, answer);
  if (path === '/health' && answer.status < 500) return;
  const ms = Math.round((performance.now() - startedAt) * 10) / 10;
  const line = {
    service: name,
    path,
    traceId,
    status: answer.status,
    ms,
    faultId: answer.faultId,
    ...answer.log,
  };
  if (answer.status >= 500 && path !== '/health') logger.warn(line, 'inference failed');
  else logger.info(line, path === '/health' ? 'unhealthy' : 'inference');
}

function find(routes: Routes, method: string, path: string): Handler {
  const handler = routes[`${method} ${path}`];
  if (handler) return handler;
  const other = Object.keys(routes).find((route) => route.endsWith(` ${path}`));
  if (other) {
    throw new InferenceError('METHOD_NOT_ALLOWED', `Expected ${other}`, { status: 405 });
  }
  throw new InferenceError('NOT_FOUND', `No such path: ${path}`, { status: 404 });
}

/** The answer to a failed call; unknown errors are logged in full and leave as INTERNAL. */
export function failureAnswer(error: unknown, logger: Logger): HttpAnswer {
  if (!(error instanceof InferenceError)) {
    logger.error({ err: error }, 'inference failed unexpectedly');
    const body = { error: { code: 'INTERNAL', message: 'Internal error' }, status: 500 };
    return { status: 500, body };
  }
  const { status, faultId, retryAfterMs } = error.details;
  return { status, body: errorBody(error), faultId, retryAfterMs, log: { code: error.code } };
}

/** An error as it stands in a body, of a call or of one item. */
export function errorBody(error: InferenceError) {
  const { status, retryAfterMs, maxBatchSize } = error.details;
  return {
    error: { code: error.code, message: messageWithMark(error) },
    status,
    ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }),
    ...(maxBatchSize !== undefined && { max_batch_size: maxBatchSize }),
  };
}

function send(response: ServerResponse, { status, body, faultId, retryAfterMs }: HttpAnswer): void {
  const text = JSON.stringify(body);
  const headers: OutgoingHttpHeaders = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  };
  if (faultId !== undefined) headers[FAULT_HEADER] = faultId;
  if (retryAfterMs !== undefined) headers['retry-after'] = String(Math.ceil(retryAfterMs / 1000));
  response.writeHead(status, headers);
  response.end(text);
}
