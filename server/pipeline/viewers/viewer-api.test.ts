import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { io } from 'socket.io-client';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import type { EventPage, ViewerNotice } from '#lib/protocol/viewers.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';
import { Database, type Queryable } from '../database/database.ts';
import { migrate } from '../database/migrate.ts';
import { createBroadcaster } from './broadcaster.ts';
import { createCache } from './cache.ts';
import type { PipelineHealth, ViewerApi, ViewerBroadcaster, ViewerCache } from './contracts.ts';
import { makeEvent } from './make-event.ts';
import { createViewerApi } from './viewer-api.ts';

const logger = pino({ level: 'silent' });
const ulid = (n: number) => `01J${String(n).padStart(23, '0')}`;
const JPEG = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]);
const CONSOLE = 'http://127.0.0.1:3000';

describe('createViewerApi', () => {
  let postgres: TestPostgres;
  let redis: TestRedis;
  let database: Database;
  let folder: string;
  let media: string;
  let health: PipelineHealth;
  const ends: (() => Promise<void>)[] = [];
  const soon = { timeout: 10_000, interval: 20 };

  interface Process {
    api: ViewerApi;
    broadcaster: ViewerBroadcaster;
    cache: ViewerCache;
    url: string;
  }

  async function makeProcess(
    overrides: {
      database?: Queryable;
      schema?: Promise<void>;
      redisPort?: number;
      port?: number;
      token?: string;
    } = {},
  ): Promise<Process> {
    const address = { host: '127.0.0.1', port: overrides.redisPort ?? redis.port, password: null };
    const cache = createCache({ redis: address, logger });
    const breaker = new CircuitBreaker('broadcaster');
    const broadcaster = createBroadcaster({ pubsub: address, breaker, logger });
    ends.push(async () => {
      await broadcaster.close();
      await cache.close();
      breaker.dispose();
    });
    await broadcaster.start();
    const api = await createViewerApi({
      http: { host: '127.0.0.1', port: overrides.port ?? 0 },
      database: overrides.database ?? database,
      schema: overrides.schema ?? Promise.resolve(),
      intake: { locate: async (id) => (id.startsWith('01J') ? join(media, `${id}.jpg`) : undefined) },
      mediaRoots: [media],
      health: () => health,
      broadcaster,
      cache,
      logger,
      profile: 'game-day',
      consolePort: 3000,
      token: overrides.token,
    });
    ends.push(() => api.close());
    if (!overrides.schema) {
      // Its own at start.
      await vi.waitFor(() => expect(api.readStats().fresh + api.readStats().unavailable).toBe(1), soon);
    }
    return { api, broadcaster, cache, url: `http://127.0.0.1:${api.port}` };
  }

  async function insertEvent(n: number, detections: unknown[] = []): Promise<void> {
    const [id, upload] = [`event-${n}`, ulid(n)];
    await database.query(
      `INSERT INTO uploads (upload_id, camera, name, accepted_at, size_bytes, sha256, status, kind, trace_id)
       VALUES ($1, 'gate', 'a.jpg', now(), 10, 'x', 'stored', 'image', 't')`,
      [upload],
    );
    await database.query(
      `INSERT INTO detections (upload_id, camera, detection, detections, captured_at)
       VALUES ($1, 'gate', 'done', $2, to_timestamp(1700000000.25))`,
      [upload, JSON.stringify(detections)],
    );
    await database.query(
      `INSERT INTO events (event_id, camera, started_at, ended_at, risk_score, risk_level, risk_source, summary,
         reasoning, trace_id) VALUES ($1, 'gate', to_timestamp(1700000000), to_timestamp(1700000005.5), 61, 'high', 'llm', $2, 'r', 't')`,
      [id, `event ${n}`],
    );
    await database.query('INSERT INTO event_uploads (upload_id, event_id) VALUES ($1, $2)', [upload, id]);
  }

  const get = async (url: string, init?: RequestInit) => {
    const response = await fetch(url, init);
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? null : JSON.parse(text),
    };
  };
  const post = (url: string, body: string, headers: Record<string, string> = {}) =>
    get(url, { method: 'POST', body, headers: { 'Content-Type': 'application/json', ...headers } });

  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
    database = new Database({ ...postgres, statementMs: 1000, queryMs: 1500, checkoutMs: 1500 });
    await migrate(database, { signal: AbortSignal.timeout(20_000) });
    const person = { class: 'person', confidence: 0.9, bbox: { x: 1, y: 2, width: 3, height: 4 } };
    for (let n = 1; n <= 5; n++) await insertEvent(n, n === 5 ? [person] : []);
    folder = await mkdtemp(join(tmpdir(), 'brownout-viewer-api-'));
    media = join(folder, 'media');
    await mkdir(media);
    await writeFile(join(media, `${ulid(1)}.jpg`), JPEG);
    await writeFile(join(folder, 'secret'), 'secret');
    await symlink(join(folder, 'secret'), join(media, `${ulid(2)}.jpg`));
    health = {
      mode: { mode: 'NORMAL', since: 1, previous: null, causes: [], features: ['events'] },
      services: [
        {
          name: 'database',
          healthy: true,
          critical: true,
          consecutiveFailures: 0,
          failureThreshold: 2,
          since: 1,
          checkedAt: 5,
          latencyMs: 2,
          error: null,
          origin: null,
        },
      ],
    };
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    await database.close();
    await Promise.all([postgres.close(), redis.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  it('pages through the events, newest first', async () => {
    const { url } = await makeProcess();
    const first = await get(`${url}/api/events?limit=2`);
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({ stale: false, events: [{ id: 'event-5' }, { id: 'event-4' }] });
    expect(first.body.events[0]).toMatchObject({
      camera: 'gate',
      startedAt: 1_700_000_000_000,
      endedAt: 1_700_000_005_500,
      riskScore: 61,
      media: [`/api/media/${ulid(5)}`],
      uploads: [
        { id: ulid(5), degraded: false, capturedAt: 1_700_000_000_250, detections: [{ class: 'person' }] },
      ],
      reviewedAt: null,
    });

    const ids: string[] = [];
    for (let next: number | null = first.body.next; next !== null; ) {
      const page: EventPage = (await get(`${url}/api/events?limit=2&before=${next}`)).body;
      ids.push(...page.events.map(({ id }) => id));
      next = page.next;
    }
    expect(ids).toEqual(['event-3', 'event-2', 'event-1']);
  });

  it('gives one event, or 404', async () => {
    const { url } = await makeProcess();
    expect((await get(`${url}/api/events/event-3`)).body).toMatchObject({
      stale: false,
      event: { id: 'event-3', summary: 'event 3' },
    });
    const missing = await get(`${url}/api/events/event-99`);
    expect(missing.status).toBe(404);
    expect(missing.headers.get('Content-Type')).toBe('application/problem+json');
    expect(missing.body).toMatchObject({ code: 'EVENT_NOT_FOUND', status: 404 });
  });

  it('stores a review', async () => {
    const { url } = await makeProcess();
    const answer = await post(`${url}/api/events/event-2/review`, JSON.stringify({ note: 'a cat' }));
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ id: 'event-2', reviewNote: 'a cat' });
    const [row] = await database.query('SELECT review_note, reviewed_at FROM events WHERE event_id = $1', [
      'event-2',
    ]);
    expect(row).toMatchObject({ review_note: 'a cat' });
    expect((await get(`${url}/api/events/event-2`)).body.event).toMatchObject({
      reviewNote: 'a cat',
      reviewedAt: answer.body.reviewedAt,
    });
    expect((await post(`${url}/api/events/event-99/review`, '{}')).status).toBe(404);
  });

  it.each([
    ['/api/events?limit=0', 'limit', '0'],
    ['/api/events?limit=101', 'limit', '101'],
    ['/api/events?limit=many', 'limit', 'many'],
    ['/api/events?before=-1', 'before', '-1'],
    ['/api/events?before=99999999999999999999', 'before', '99999999999999999999'],
    ['/api/events?after=3', 'after', '3'],
    ['/api/events/%20', 'id', ' '],
    ['/api/media/..%2Fsecret', 'id', '../secret'],
  ])('refuses %s, naming field and value', async (path, field, value) => {
    const { url } = await makeProcess();
    const answer = await get(url + path);
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ code: 'INVALID_INPUT', field, value });
    expect(answer.body.allowed).toBeTruthy();
  });

  it('refuses bad reviews and applies nothing', async () => {
    const { url } = await makeProcess();
    const review = `${url}/api/events/event-4/review`;
    const cases: [Promise<{ status: number; body: unknown }>, number, Record<string, unknown>][] = [
      [post(review, '{"note":'), 400, { code: 'INVALID_JSON' }],
      [post(review, '{"note":7}'), 422, { code: 'INVALID_INPUT', field: 'note', value: 7 }],
      [post(review, '{"note":"x","who":"me"}'), 422, { code: 'INVALID_INPUT', field: 'who', value: 'me' }],
      [post(review, JSON.stringify({ note: 'x'.repeat(2001) })), 422, { field: 'note' }],
      [post(review, JSON.stringify({ note: 'x'.repeat(20_000) })), 413, { code: 'BODY_TOO_LARGE' }],
      [post(review, 'note=x', { 'Content-Type': 'text/plain' }), 415, { code: 'UNSUPPORTED_MEDIA_TYPE' }],
      [post(review, '{}', { Origin: 'http://evil.example' }), 403, { code: 'FORBIDDEN_ORIGIN' }],
      [get(review, { method: 'DELETE' }), 405, { code: 'METHOD_NOT_ALLOWED', allowed: 'POST' }],
      [get(`${url}/api/nothing`), 404, { code: 'NOT_FOUND' }],
    ];
    for (const [answer, status, problem] of cases) {
      expect(await answer).toMatchObject({ status, body: problem });
    }
    const [row] = await database.query('SELECT reviewed_at FROM events WHERE event_id = $1', ['event-4']);
    expect(row).toEqual({ reviewed_at: null });
  });

  it('serves pictures, and nothing outside the media folder', async () => {
    const { url } = await makeProcess();
    const picture = await fetch(`${url}/api/media/${ulid(1)}`);
    expect(picture.status).toBe(200);
    expect(picture.headers.get('Content-Type')).toBe('image/jpeg');
    expect(picture.headers.get('X-Content-Type-Options')).toBe('nosniff');
    expect(Buffer.from(await picture.arrayBuffer())).toEqual(JPEG);
    expect(
      (await fetch(`${url}/api/media/${ulid(1)}`, { method: 'HEAD' })).headers.get('Content-Length'),
    ).toBe('7');
    for (const n of [2, 3]) {
      expect(await get(`${url}/api/media/${ulid(n)}`)).toMatchObject({
        status: 404,
        body: { code: 'MEDIA_NOT_FOUND' },
      });
    }
  });

  it('lets pages of the console read, and no others', async () => {
    const { api, url } = await makeProcess();
    const asked = (origin: string) => fetch(`${url}/api/events`, { headers: { Origin: origin } });
    expect((await asked(CONSOLE)).headers.get('Access-Control-Allow-Origin')).toBe(CONSOLE);
    expect((await asked('http://localhost:3000')).headers.get('Access-Control-Allow-Origin')).toBe(
      'http://localhost:3000',
    );
    expect((await asked('http://evil.example')).headers.get('Access-Control-Allow-Origin')).toBeNull();

    const upgrade = (origin: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = {
          Origin: origin,
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
          'Sec-WebSocket-Version': '13',
        };
        const path = '/socket.io/?EIO=4&transport=websocket';
        request({ host: '127.0.0.1', port: api.port, path, headers })
          .on('upgrade', (response, socket) => {
            socket.destroy();
            resolve(response.statusCode);
          })
          .on('response', (response) => {
            response.resume();
            resolve(response.statusCode);
          })
          .on('error', reject)
          .end();
      });
    expect(await upgrade(CONSOLE)).toBe(101);
    expect(await upgrade('http://evil.example')).toBe(400);
  });

  it('answers only to its own names', async () => {
    const { api } = await makeProcess();
    const status = (host: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        request({ host: '127.0.0.1', port: api.port, path: '/api/events', headers: { Host: host } })
          .on('response', (response) => {
            response.resume();
            resolve(response.statusCode);
          })
          .on('error', reject)
          .end();
      });
    expect(await status(`localhost:${api.port}`)).toBe(200);
    expect(await status(`evil.example:${api.port}`)).toBe(403);
  });

  it('asks everybody for the token when there is one', async () => {
    const token = 'correct horse battery staple';
    const { url } = await makeProcess({ token });
    const asked = (headers: Record<string, string>) => get(`${url}/api/events`, { headers });
    expect(await asked({})).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
    expect(await asked({ Authorization: 'Bearer wrong horse battery staple' })).toMatchObject({
      status: 401,
    });
    expect(await asked({ Authorization: `Bearer ${token}` })).toMatchObject({ status: 200 });
    const cookie = `a=b; brownout_token=${encodeURIComponent(token)}`;
    expect(await asked({ Cookie: cookie })).toMatchObject({ status: 200 });

    const connects = (extraHeaders: Record<string, string>) =>
      new Promise<boolean>((resolve) => {
        const viewer = io(url, {
          transports: ['websocket'],
          forceNew: true,
          reconnection: false,
          extraHeaders,
        });
        const done = (connected: boolean) => {
          viewer.disconnect();
          resolve(connected);
        };
        viewer.once('connect', () => done(true));
        viewer.once('connect_error', () => done(false));
      });
    expect(await connects({})).toBe(false);
    expect(await connects({ Cookie: cookie })).toBe(true);
  });

  it('names the setting when its port is taken', async () => {
    const { api } = await makeProcess();
    await expect(makeProcess({ port: api.port })).rejects.toMatchObject({
      code: 'INVALID_SETTING',
      field: 'BACKEND_PORT',
      message: `BACKEND_PORT=${api.port} is taken by another program: choose another`,
    });
  });

  it('tells its health, and whether it is ready', async () => {
    const { url } = await makeProcess();
    expect((await get(`${url}/api/health`)).body).toMatchObject({
      status: 'ok',
      mode: { mode: 'NORMAL' },
      services: [{ name: 'database', checkedAt: 5 }],
      broadcaster: { direct: 0, unheard: 0 },
      cache: { skipped: 0 },
      reads: { p95Ms: null },
    });
    expect((await get(`${url}/api/health/ready`)).status).toBe(200);

    const [service] = health.services;
    if (service) health = { ...health, services: [{ ...service, healthy: false, error: 'ECONNREFUSED' }] };
    const notReady = await get(`${url}/api/health/ready`);
    expect(notReady.status).toBe(503);
    expect(notReady.headers.get('Retry-After')).toBe('5');
    expect(notReady.body).toMatchObject({
      ready: false,
      failing: [{ name: 'database', error: 'ECONNREFUSED', checkedAt: 5 }],
    });
  });

  it('answers stale from the cache, else 503, while the database is down', async () => {
    const { url, api } = await makeProcess();
    const fresh = await get(`${url}/api/events?limit=2`);
    const older = await get(`${url}/api/events?limit=2&before=${fresh.body.next}`);
    await postgres.kill();
    await vi.waitFor(async () => {
      // Backends outlive a killed postmaster for a moment.
      const left = await Promise.allSettled(Array.from({ length: 10 }, () => database.query('SELECT 1')));
      expect(left.every(({ status }) => status === 'rejected')).toBe(true);
    }, soon);
    try {
      const stale = await get(`${url}/api/events?limit=2`);
      expect(stale.status).toBe(200);
      expect(stale.body).toMatchObject({ stale: true, events: fresh.body.events, next: fresh.body.next });
      expect(stale.body.ageMs).toBeGreaterThanOrEqual(0);
      expect(stale.body.ageMs).toBeLessThan(10_000);
      expect((await get(`${url}/api/events?limit=2&before=${fresh.body.next}`)).body).toMatchObject({
        stale: true,
        events: older.body.events,
      });
      // Never asked for before: from what the process itself remembers.
      expect((await get(`${url}/api/events?limit=3`)).body).toMatchObject({
        stale: true,
        events: { length: 3 },
      });
      expect((await get(`${url}/api/events/event-1`)).body).toMatchObject({
        stale: true,
        event: { id: 'event-1' },
      });

      for (const refused of [
        await get(`${url}/api/events?before=2`),
        await get(`${url}/api/events/event-77`),
        await post(`${url}/api/events/event-1/review`, '{}'),
      ]) {
        expect(refused).toMatchObject({ status: 503, body: { code: 'STORAGE_UNAVAILABLE' } });
        expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThanOrEqual(1);
      }
      expect(api.readStats()).toMatchObject({ stale: 4, unavailable: 3 });

      const other = await makeProcess({ redisPort: 1 });
      expect((await get(`${other.url}/api/events?limit=4`)).status).toBe(503); // a process that knows nothing
    } finally {
      await postgres.restart();
    }
    await vi.waitFor(async () => expect((await get(`${url}/api/events`)).body.stale).toBe(false), soon);
  });

  it('does not ask a database that has no tables yet, and reads by itself once it has', async () => {
    const asked: string[] = [];
    const schema = Promise.withResolvers<void>();
    const { url, api } = await makeProcess({
      schema: schema.promise,
      database: {
        query: (sql, values) => {
          asked.push(sql);
          return database.query(sql, values);
        },
      },
    });
    expect((await fetch(`${url}/api/events/event-404`)).status).toBe(503);
    expect(asked).toEqual([]);
    schema.resolve();
    await vi.waitFor(() => expect(api.readStats().fresh).toBe(1), soon);
    expect(asked.length).toBeGreaterThan(0);
  });

  it('tells viewers of a read that timed out, and answers it from the cache', async () => {
    const { url, api } = await makeProcess();
    const viewer = io(url, { transports: ['websocket'], forceNew: true });
    const notices: ViewerNotice[] = [];
    viewer.on('notice', (notice: ViewerNotice) => notices.push(notice));
    await vi.waitFor(() => expect(viewer.connected).toBe(true), soon);
    await get(`${url}/api/events`);
    let letGo = () => {};
    const locked = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const blocker = new Database({ ...postgres });
    const holding = blocker.transaction(async (tx) => {
      await tx.query('LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
      const answer = await get(`${url}/api/events`);
      letGo();
      return answer;
    });
    await locked;
    expect((await holding).body).toMatchObject({ stale: true });
    await vi.waitFor(
      () => expect(notices).toEqual([{ type: 'timeout', service: 'database', retryAfterMs: 5000 }]),
      soon,
    );
    expect(api.readStats().stale).toBe(1);
    viewer.disconnect();
    await blocker.close();
  });

  it('answers from the cache while reads are slow, and from the database when they are fast again', async () => {
    let sleepSeconds = 0;
    const slow: Queryable = {
      query: async (sql, values) => {
        if (sleepSeconds > 0) await blocker.query('SELECT pg_sleep($1)', [sleepSeconds]);
        return database.query(sql, values);
      },
    };
    const blocker = new Database({ ...postgres });
    const { url, api } = await makeProcess({ database: slow });
    for (let n = 0; n < 18; n++) await get(`${url}/api/events`);
    sleepSeconds = 0.55;
    await Promise.all([get(`${url}/api/events`), get(`${url}/api/events`)]);
    expect(api.readStats().p95Ms).toBeGreaterThan(500);

    sleepSeconds = 1.8;
    const startedAt = performance.now();
    expect((await get(`${url}/api/events`)).body).toMatchObject({ stale: true });
    expect(performance.now() - startedAt).toBeLessThan(1500);

    sleepSeconds = 0;
    await vi.waitFor(async () => expect((await get(`${url}/api/events`)).body.stale).toBe(false), {
      timeout: 15_000,
      interval: 100,
    });
    await blocker.close();
  });

  it('sends events to viewers and reports the recent ones', async () => {
    const { api, url, broadcaster } = await makeProcess();
    const viewer = io(url, { transports: ['websocket'], forceNew: true });
    const notices: ViewerNotice[] = [];
    viewer.on('notice', (notice: ViewerNotice) => notices.push(notice));
    const received: unknown[] = [];
    viewer.on('events', (message: { data: { event: { id: string } } }) =>
      received.push(message.data.event.id),
    );
    await vi.waitFor(() => expect(broadcaster.stats().connected).toBe(1), soon);
    await broadcaster.publish(makeEvent({ id: 'event-new', seq: 1000 }), 'created');
    await vi.waitFor(() => expect(received).toEqual(['event-new']), soon);
    expect(broadcaster.recentEvents(3).map(({ id }) => id)).toEqual(['event-new', 'event-5', 'event-4']);
    await api.close();
    await vi.waitFor(() => expect(notices).toEqual([{ type: 'shutdown' }]), soon);
    viewer.disconnect();
  });
});
