import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { z } from 'zod';
import { type ErrorCode, type Problem, problemSchema } from '../../../lib/protocol/errors.ts';
import type { Logger } from '../../logging.ts';
import { makeProblem, parseInput, Refusal, toProblem } from '../problem.ts';
import type { Idempotency } from './idempotency.ts';
import { readBody } from './read-body.ts';

export interface EndpointSpec<B, Q> {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** With parameters as `{id}`. */
  path: string;
  summary: string;
  /** Without it a body is refused. An empty body counts as {}. */
  body?: z.ZodType<B>;
  query?: z.ZodType<Q>;
  status?: 200 | 201;
  answer: z.ZodType;
  /** Of the answer; a handler that gives another one than JSON gives a whole `Response`. @default 'application/json' */
  answerType?: string;
  /** What may be refused, beside what everything may. */
  refusals?: readonly ErrorCode[];
}

export interface EndpointInput<B, Q> {
  body: B;
  query: Q;
  /** A parameter of the path. */
  param: (name: string) => string;
  header: (name: string) => string | undefined;
  /** Who commands: `X-Brownout-Operator`, or "REST". */
  operator: string;
  reply: { header: (name: string, value: string) => void; status: (status: 200 | 201 | 503) => void };
}

export interface EndpointContext {
  app: OpenAPIHono;
  idempotency: Idempotency;
  logger: Logger;
  /** Told of each command and how it went. */
  onCommand: (command: string, outcome: string) => void;
}

const NO_INPUT = z.strictObject({});
const PROBLEM_TYPE = 'application/problem+json';

/**
 * Declares one call of the API once: its place in the OpenAPI document and what checks its input come from the same
 * schemas. Errors of any kind leave as problem+json.
 */
export function endpoint<B = Record<string, never>, Q = Record<string, never>>(
  context: EndpointContext,
  spec: EndpointSpec<B, Q>,
  handle: (input: EndpointInput<B, Q>) => unknown,
): void {
  const { app, idempotency, logger, onCommand } = context;
  const { method, path, status = 200 } = spec;
  const isCommand = method !== 'get';
  register(context, spec);
  const name = `${method.toUpperCase()} ${path}`;
  app.on(method.toUpperCase(), path.replaceAll(/\{(\w+)\}/g, ':$1'), async (c) => {
    const startedAt = performance.now();
    const answer = async (): Promise<Response> => {
      const text = isCommand ? await readBody(c.req.raw) : '';
      const act = async (): Promise<Response> => {
        const headers = new Headers({ 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
        let given: number = status;
        const data = await handle({
          body: parseInput((spec.body ?? NO_INPUT) as z.ZodType<B>, parseJson(text, c)),
          query: parseInput((spec.query ?? NO_INPUT) as z.ZodType<Q>, c.req.query()),
          param: (parameter) => c.req.param(parameter) ?? '',
          header: (header) => c.req.header(header),
          operator: operatorOf(c),
          reply: {
            header: (header, value) => headers.set(header, value),
            status: (other) => {
              given = other;
            },
          },
        });
        if (data instanceof Response) return data;
        return new Response(JSON.stringify(data), { status: given, headers });
      };
      const key = isCommand ? c.req.header('idempotency-key') : undefined;
      return idempotency.run(key, `${c.req.method} ${c.req.url}\n${text}`, async () => {
        try {
          return await act();
        } catch (error) {
          return problemResponse(
            toProblem(error, (unknown) => logger.error({ err: unknown, call: name }, 'call failed')),
          );
        }
      });
    };
    let response: Response;
    try {
      response = await answer();
    } catch (error) {
      response = problemResponse(
        toProblem(error, (unknown) => logger.error({ err: unknown, call: name }, 'call failed')),
      );
    }
    if (isCommand) {
      const outcome = response.ok ? 'ok' : String(response.status);
      const tookMs = Math.round((performance.now() - startedAt) * 10) / 10;
      logger.info({ command: name, by: operatorOf(c), outcome, tookMs }, 'command');
      onCommand(name, outcome);
    }
    return response;
  });
}

export function problemResponse(problem: Problem, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'Content-Type': PROBLEM_TYPE, 'Cache-Control': 'no-store', ...headers },
  });
}

function parseJson(text: string, c: Context): unknown {
  if (text === '') return {};
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new Refusal(
      'UNSUPPORTED_MEDIA_TYPE',
      `Expected application/json, got ${type?.slice(0, 100) ?? 'nothing'}`,
      {
        field: 'Content-Type',
        value: type?.slice(0, 100) ?? null,
        allowed: 'application/json',
      },
    );
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Refusal('INVALID_JSON', error instanceof Error ? error.message : 'The body is not JSON');
  }
}

function operatorOf(c: Context): string {
  const sent = c.req.header('x-brownout-operator') ?? '';
  return decoded(sent).trim().slice(0, 40) || 'REST';
}

/** Headers are ASCII and names are not: a browser sends its name percent-encoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function register<B, Q>({ app }: EndpointContext, spec: EndpointSpec<B, Q>): void {
  const { method, path, summary, body, query, status = 200, answer, refusals = [] } = spec;
  const { answerType = 'application/json' } = spec;
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
  const params = z.object(Object.fromEntries(names.map((name) => [name, z.string()])));
  const codes: ErrorCode[] = ['INVALID_INPUT', 'FORBIDDEN_ORIGIN', 'UNAUTHORIZED', 'INTERNAL', ...refusals];
  if (method !== 'get') codes.push('IDEMPOTENCY_MISMATCH');
  if (body) codes.push('INVALID_JSON', 'BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE');
  const byStatus = Object.groupBy(codes, (code) => String(makeProblem(code, '').status));
  const problems = Object.entries(byStatus).map(([code, of]) => [
    code,
    { description: (of ?? []).join(', '), content: { [PROBLEM_TYPE]: { schema: problemSchema } } },
  ]);
  app.openAPIRegistry.registerPath({
    method,
    path,
    summary,
    request: {
      ...(names.length > 0 ? { params } : {}),
      ...(query ? { query: query as unknown as z.ZodObject } : {}),
      ...(body ? { body: { content: { 'application/json': { schema: body } } } } : {}),
    },
    responses: {
      [status]: { description: 'Done', content: { [answerType]: { schema: answer } } },
      ...Object.fromEntries(problems),
    },
  });
}
