import { Readable } from 'node:stream';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { z } from 'zod';
import type { Clock } from '#lib/chaos/clock.ts';
import type { ViewerApiOptions } from './contracts.ts';
import { EVENT_READER_DEFAULTS, type EventReader } from './event-reader.ts';
import { openMedia } from './media-file.ts';
import type { ViewerAccess } from './viewer-access.ts';
import { invalidInput, ViewerProblem } from './viewer-problem.ts';

export interface ViewerRoutesOptions
  extends Pick<ViewerApiOptions, 'intake' | 'mediaRoots' | 'health' | 'broadcaster' | 'cache' | 'logger'> {
  reader: EventReader;
  clock: Clock;
  access: ViewerAccess;
}

const MAX_BODY_BYTES = 16 * 1024;
const MAX_NOTE = 2000;
const MAX_PAGE = 100;

const wholeNumber = (text: string, max: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, { error: text })
    .transform(Number)
    .refine((value) => value >= 1 && value <= max, { error: text });

const pageQuery = z.strictObject({
  before: wholeNumber('the seq of an event: a whole number from 1', Number.MAX_SAFE_INTEGER).optional(),
  limit: wholeNumber(`a whole number from 1 to ${MAX_PAGE}`, MAX_PAGE).optional(),
});
const eventParams = z.object({
  id: z.string().regex(/^[\w.:-]{1,128}$/, { error: 'letters, digits, dot, colon, dash; 1 to 128 of them' }),
});
const mediaParams = z.object({
  id: z.string().regex(/^[0-9A-HJKMNP-TV-Z]{26}$/i, { error: 'an upload id: a ULID of 26 characters' }),
});
const reviewBody = z.strictObject({
  note: z
    .string({ error: 'a text' })
    .max(MAX_NOTE, { error: `at most ${MAX_NOTE} characters` })
    .nullable()
    .optional(),
});

/** The backend's own API for its viewers. Every refusal is application/problem+json. */
export function createViewerRoutes(options: ViewerRoutesOptions): Hono {
  const { reader, intake, mediaRoots, broadcaster, cache, clock, logger, access } = options;
  const app = new Hono();

  app.use('*', async (c, next) => {
    await next();
    c.header('X-Content-Type-Options', 'nosniff');
    if (!c.res.headers.has('Cache-Control')) c.header('Cache-Control', 'no-store');
  });
  app.use(
    '/api/*',
    cors({
      origin: (origin, c) => (access.isAllowedOrigin(origin, c.req.header('Host') ?? '') ? origin : null),
      credentials: true,
      allowMethods: ['GET', 'HEAD'],
      exposeHeaders: ['Retry-After'],
    }),
  );
  app.use('/api/*', async (c, next) => {
    access.check((name) => c.req.header(name), c.req.method);
    await next();
  });

  app.get('/api/events', async (c) => {
    const { before, limit = EVENT_READER_DEFAULTS.pageSize } = parse(pageQuery, c.req.query());
    return c.json(await reader.page(before, limit));
  });

  app.get('/api/events/:id', async (c) => c.json(await reader.event(parse(eventParams, c.req.param()).id)));

  app.post(
    '/api/events/:id/review',
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new ViewerProblem('BODY_TOO_LARGE', `The body is above ${MAX_BODY_BYTES} bytes`, {
          field: 'body',
          allowed: `at most ${MAX_BODY_BYTES} bytes`,
        });
      },
    }),
    async (c) => {
      const { id } = parse(eventParams, c.req.param());
      const { note } = parse(reviewBody, await readJson(c));
      return c.json(await reader.review(id, note ?? null));
    },
  );

  app.get('/api/media/:id', async (c) => {
    const { id } = parse(mediaParams, c.req.param());
    const { handle, contentType, sizeBytes } = await openMedia(intake, mediaRoots, id);
    c.header('Content-Type', contentType);
    c.header('Content-Length', String(sizeBytes));
    c.header('Cache-Control', 'private, max-age=3600, immutable');
    if (c.req.method === 'HEAD') {
      await handle.close();
      return c.body(null);
    }
    const stream = handle.createReadStream(); // closes the handle at its end
    return c.body(Readable.toWeb(stream) as ReadableStream<Uint8Array>);
  });

  app.get('/api/health', (c) => {
    const health = options.health();
    const status = health.mode.mode === 'NORMAL' ? 'ok' : 'degraded';
    return c.json({
      status,
      at: clock.now(),
      ...health,
      broadcaster: broadcaster.stats(),
      cache: cache.status(),
      reads: reader.stats(),
    });
  });

  app.get('/api/health/ready', (c) => {
    const { mode, services } = options.health();
    const failing = services
      .filter((service) => service.critical && !service.healthy)
      .map(({ name, error, since, checkedAt }) => ({ name, error, since, checkedAt }));
    const ready = failing.length === 0;
    if (!ready) c.header('Retry-After', retryAfterSeconds(EVENT_READER_DEFAULTS.retryAfterMs));
    return c.json({ ready, at: clock.now(), mode: mode.mode, failing }, ready ? 200 : 503);
  });

  const methods: Record<string, string> = {
    '/api/events': 'GET, HEAD',
    '/api/events/:id': 'GET, HEAD',
    '/api/events/:id/review': 'POST',
    '/api/media/:id': 'GET, HEAD',
    '/api/health': 'GET, HEAD',
    '/api/health/ready': 'GET, HEAD',
  };
  for (const [path, allow] of Object.entries(methods)) {
    app.all(path, (c) => {
      c.header('Allow', allow);
      return refuse(
        c,
        new ViewerProblem('METHOD_NOT_ALLOWED', `${c.req.method} is not allowed here`, { allowed: allow }),
      );
    });
  }
  app.notFound((c) => refuse(c, new ViewerProblem('NOT_FOUND', `There is no ${c.req.path}`)));
  app.onError((error, c) => {
    if (error instanceof ViewerProblem) return refuse(c, error);
    logger.error({ err: error, path: c.req.path }, 'request failed');
    return refuse(c, new ViewerProblem('INTERNAL', 'Something went wrong; the log of the backend says what'));
  });
  return app;
}

function refuse(c: Context, problem: ViewerProblem): Response {
  const body = problem.toProblem();
  if (problem.retryAfterMs !== undefined) c.header('Retry-After', retryAfterSeconds(problem.retryAfterMs));
  c.header('Content-Type', 'application/problem+json');
  return c.body(JSON.stringify(body), body.status as 400);
}

function retryAfterSeconds(retryAfterMs: number): string {
  return String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
}

/** @throws {ViewerProblem} INVALID_INPUT naming the field */
function parse<S extends z.ZodType>(schema: S, input: unknown): z.infer<S> {
  const parsed = schema.safeParse(input);
  if (!parsed.success) throw invalidInput(parsed.error, input);
  return parsed.data;
}

/** The JSON body; an empty one is an empty object. */
async function readJson(c: Context): Promise<unknown> {
  const text = await c.req.text();
  if (text === '') return {};
  const type = c.req.header('Content-Type') ?? '';
  if (!/^application\/json\b/i.test(type)) {
    throw new ViewerProblem('UNSUPPORTED_MEDIA_TYPE', 'The body must be JSON', {
      field: 'Content-Type',
      value: type,
      allowed: 'application/json',
    });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ViewerProblem('INVALID_JSON', 'The body is not JSON', {
      field: 'body',
      allowed: 'JSON',
      cause,
    });
  }
}
