import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Client as Ftp } from 'basic-ftp';
import { Client as Postgres } from 'pg';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Wiring } from '#server/config.ts';
import { findFreePort } from '#server/embedded/free-port.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { startTestRedis, type TestRedis } from '#tests/support/redis.ts';

/**
 * The pipeline process itself between real FTP, Redis and PostgreSQL; small HTTP servers stand at the addresses of the
 * detector and the language model, so that each test decides how they behave.
 */
let postgres: TestPostgres;
let redis: TestRedis;
let sql: Postgres;
let dataDir: string;
let pipeline: ChildProcess;
let wiring: Wiring;
let environment: NodeJS.ProcessEnv;
let output = '';
let uploads = 0;

type Behaviour = (response: ServerResponse, body: string) => void;
const json = (response: ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const detected = {
  detections: [{ class: 'dog', confidence: 0.9, bbox: { x: 1, y: 2, width: 30, height: 40 } }],
  inference_time_ms: 5,
  image_width: 320,
  image_height: 240,
};
const wellDetector: Behaviour = (response, body) => {
  const files = body.split('name="files"').length - 1;
  json(response, 200, files === 0 ? detected : { results: Array.from({ length: files }, () => detected) });
};
const wellModel: Behaviour = (response) =>
  json(response, 200, {
    content: '<think>hm</think>{"risk_score": 33, "summary": "a dog", "reasoning": "it barks"}',
  });
let detector = wellDetector;
let model = wellModel;
const servers: Server[] = [];

async function serve(behaviour: () => Behaviour): Promise<number> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('latin1');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      if (request.url === '/health') json(response, 200, { status: 'healthy' });
      else behaviour()(response, body);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function startPipeline(): Promise<void> {
  pipeline = spawn(process.execPath, ['server/pipeline/main.ts'], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const keep = (chunk: Buffer) => {
    output += chunk.toString();
  };
  pipeline.stdout?.on('data', keep);
  pipeline.stderr?.on('data', keep);
  return new Promise((resolve, reject) => {
    pipeline.once('message', () => resolve());
    pipeline.once('exit', (code) => reject(new Error(`pipeline ended with ${code}: ${output.slice(-2000)}`)));
  });
}

beforeAll(async () => {
  const taken = new Set<number>();
  const free = async () => {
    const port = await findFreePort(taken);
    taken.add(port);
    return port;
  };
  const [yolo26, nemotron] = [await serve(() => detector), await serve(() => model)];
  [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
  dataDir = await mkdtemp(join(tmpdir(), 'brownout-flow-'));
  const [ftp, api, control] = [await free(), await free(), await free()];
  const at = (port: number) => ({ host: '127.0.0.1', port });
  const database = at(postgres.port);
  wiring = {
    agentSecret: 'a-secret-of-this-test',
    controlUrl: `http://127.0.0.1:${control}`,
    direct: {
      yolo26: `http://127.0.0.1:${yolo26}`,
      nemotron: `http://127.0.0.1:${nemotron}`,
      redis: at(redis.port),
      database,
      ftp: at(ftp),
    },
    proxied: {
      yolo26: at(yolo26),
      nemotron: at(nemotron),
      redis: at(redis.port),
      pubsub: at(redis.port),
      database,
      ftp: at(ftp),
    },
    nameServer: at(0),
    databaseUser: postgres.user,
    databasePassword: postgres.password,
    databaseName: postgres.database,
    redisPassword: null,
  };
  environment = {
    ...process.env,
    BROWNOUT_WIRING: JSON.stringify(wiring),
    DATA_DIR: dataDir,
    PROFILE: 'game-day',
    PORT: String(control),
    BACKEND_PORT: String(api),
    FTP_PORT: String(ftp),
    YOLO26_PORT: String(yolo26),
    NEMOTRON_PORT: String(nemotron),
  };
  await startPipeline();
  await connectSql();
}, 60_000);

afterAll(async () => {
  pipeline?.kill('SIGKILL');
  await sql?.end().catch(() => {});
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await Promise.all([postgres?.close(), redis?.close()]);
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
});

/** Uploads a file as our cameras do; resolves when the server has accepted it. */
async function send(camera: string, name: string, bytes: Buffer): Promise<string> {
  const { ftp } = JSON.parse(await readFile(join(dataDir, 'credentials.json'), 'utf8')) as {
    ftp: Record<string, string>;
  };
  const client = new Ftp();
  await client.access({ ...wiring.direct.ftp, user: camera, password: ftp[camera] ?? '' });
  await client.uploadFrom(Readable.from([bytes]), `${name}.part`);
  await client.rename(`${name}.part`, name);
  client.close();
  return name;
}

async function upload(camera = 'cam-01'): Promise<string> {
  const noise = { width: 320, height: 240, channels: 3, background: '#444' } as const;
  const frame = await sharp({ create: { ...noise, noise: { type: 'gaussian', mean: 100, sigma: 60 } } })
    .jpeg({ quality: 90 })
    .toBuffer();
  return send(camera, `frame-${uploads++}.jpg`, frame);
}

async function connectSql(): Promise<void> {
  const { user, password, database } = postgres;
  sql = new Postgres({ ...wiring.direct.database, user, password, database });
  sql.on('error', () => {}); // the database is killed in some tests
  await sql.connect();
}

interface Outcome {
  status: string;
  degraded: boolean;
  owed: boolean;
  found: number;
  risk_source: string | null;
  event_degraded: boolean | null;
}

async function outcomeOf(name: string): Promise<Outcome | undefined> {
  const { rows } = await sql.query<Outcome>(
    `SELECT u.status, d.degraded, d.owed, jsonb_array_length(d.detections) AS found, v.risk_source,
       v.degraded AS event_degraded
     FROM uploads u JOIN detections d USING (upload_id) LEFT JOIN event_uploads e USING (upload_id)
       LEFT JOIN events v USING (event_id)
     WHERE u.name = $1`,
    [name],
  );
  return rows[0];
}

const eventually = (name: string, expected: Partial<Outcome>, timeout = 15_000) =>
  vi.waitFor(async () => expect(await outcomeOf(name)).toMatchObject(expected), { timeout, interval: 100 });

describe('the pipeline process', () => {
  it('turns an upload into rows and an event by the model, under one trace id', async () => {
    const name = await upload();
    await eventually(name, { status: 'stored', degraded: false, found: 1, risk_source: 'llm' });
    const { rows } = await sql.query<{ upload_id: string; trace_id: string }>(
      'SELECT upload_id, trace_id FROM uploads WHERE name = $1',
      [name],
    );
    const lines = output.split('\n').filter((line) => line.includes(rows[0]?.trace_id ?? 'no trace'));
    for (const stage of ['queued', 'detected', 'event']) {
      expect(
        lines.some((line) => line.includes(`"stage":"${stage}"`)),
        stage,
      ).toBe(true);
    }
  });

  it('stores what it has when detector or model fail, marked, and makes it good later', async () => {
    let calls = 0;
    detector = (response, body) => {
      if (calls++ > 0) wellDetector(response, body); // the first call is never answered
    };
    model = (response) => json(response, 200, { content: 'I would rather not say.' });
    const unseen = await upload('cam-02');
    await vi.waitFor(() => expect(calls).toBe(1), { timeout: 15_000 });
    const unjudged = await upload('cam-03');
    await Promise.all([
      eventually(unseen, { degraded: true, owed: true, found: 0 }),
      eventually(unjudged, { degraded: false, risk_source: 'object_estimate' }),
    ]);
    model = wellModel;
    await Promise.all([
      eventually(unseen, {
        degraded: false,
        owed: false,
        found: 1,
        risk_source: 'llm',
        event_degraded: false,
      }),
      eventually(unjudged, { risk_source: 'llm' }),
    ]);
    detector = wellDetector;
  });

  it('detects a frame again that came while the detector was warming up', async () => {
    let calls = 0;
    detector = (response, body) => {
      if (calls++ < 2) json(response, 200, { ...detected, detections: [], warming_up: true });
      else wellDetector(response, body);
    };
    const name = await upload('cam-06');
    await eventually(name, { status: 'stored', degraded: false, owed: true, found: 0 });
    await eventually(name, { degraded: false, owed: false, found: 1 }, 20_000);
    expect(calls).toBe(3);
    detector = wellDetector;
  }, 40_000);

  it('makes a dead letter of a frame that the detector refuses, without trying again', async () => {
    let calls = 0;
    detector = (response) => {
      calls++;
      json(response, 422, { error: { code: 'INVALID_INPUT', message: 'no' } });
    };
    const name = await upload('cam-04');
    const letters = join(dataDir, 'dlq', 'letters.jsonl');
    await vi.waitFor(async () => expect(await readFile(letters, 'utf8')).toContain(name), {
      timeout: 15_000,
    });
    expect(calls).toBe(1);
    expect(await outcomeOf(name)).toBeUndefined();
    detector = wellDetector;
  });

  it('keeps jobs while the detector fails or Redis is gone, and finishes them afterwards', async () => {
    detector = (response) => json(response, 500, { error: 'down' });
    const refused = await upload('cam-01');
    await vi.waitFor(() => expect(output).toContain('breaker yolo26: CLOSED → OPEN'), { timeout: 20_000 });
    expect(await outcomeOf(refused)).toBeUndefined();
    detector = wellDetector;
    await redis.kill();
    const unqueued = await upload('cam-02');
    await vi.waitFor(() => expect(output).toContain(' → MINIMAL'), { timeout: 20_000 });
    await redis.restart();
    for (const name of [refused, unqueued])
      await eventually(name, { status: 'stored', degraded: false, found: 1 });
  }, 60_000);

  it('loses nothing when it is killed, and starts while its database is away', async () => {
    const names = await Promise.all(['cam-01', 'cam-02', 'cam-03'].map((camera) => upload(camera)));
    pipeline.kill('SIGKILL');
    await postgres.kill();
    await startPipeline();
    await postgres.restart();
    await connectSql();
    for (const name of names) await eventually(name, { status: 'stored', risk_source: 'llm' }, 20_000);
  }, 40_000);

  it('takes uploads while OFFLINE, refuses no job, and finishes them afterwards', async () => {
    const queued = () => output.split('"stage":"queued"').length - 1;
    await Promise.all([redis.kill(), postgres.kill()]);
    await vi.waitFor(() => expect(output).toContain(' → OFFLINE'), { timeout: 20_000 });
    const before = queued();
    const names = await Promise.all(['cam-01', 'cam-02', 'cam-03'].map((camera) => upload(camera)));
    await vi.waitFor(() => expect(queued()).toBe(before + 3), { timeout: 15_000 });
    expect((await readdir(join(dataDir, 'inbox'))).length).toBeGreaterThanOrEqual(3);
    const letters = await readFile(join(dataDir, 'dlq', 'letters.jsonl'), 'utf8');
    for (const name of names) expect(letters).not.toContain(name);
    await Promise.all([redis.restart(), postgres.restart()]);
    await connectSql();
    for (const name of names) await eventually(name, { status: 'stored', risk_source: 'llm' }, 20_000);
  }, 60_000);

  it('stores a video as media: its detection is not run, and it makes no event', async () => {
    const box = (name: string, content: Buffer) => {
      const head = Buffer.alloc(8);
      head.writeUInt32BE(content.length + 8, 0);
      head.write(name, 4, 'latin1');
      return Buffer.concat([head, content]);
    };
    const video = Buffer.concat([
      box('ftyp', Buffer.from('isomiso2')),
      box('moov', Buffer.alloc(40)),
      box('mdat', Buffer.alloc(20_000, uploads)),
    ]);
    let calls = 0;
    detector = (response, body) => {
      calls++;
      wellDetector(response, body);
    };
    const name = await send('cam-05', `clip-${uploads++}.mp4`, video);
    const frame = await upload('cam-05');
    await eventually(frame, { risk_source: 'llm' });
    await eventually(name, { status: 'stored', degraded: false, owed: false, found: 0, risk_source: null });
    const { rows } = await sql.query<{ kind: string; detection: string; upload_id: string }>(
      'SELECT u.kind, d.detection, u.upload_id FROM uploads u JOIN detections d USING (upload_id) WHERE u.name = $1',
      [name],
    );
    expect(rows).toMatchObject([{ kind: 'video', detection: 'not_run' }]);
    expect(calls, 'calls of the detector, for the frame alone').toBe(1);
    const media = await readdir(join(dataDir, 'media'), { recursive: true });
    expect(media.filter((path) => path.includes(rows[0]?.upload_id ?? 'none'))).toHaveLength(1);
    detector = wellDetector;
  });

  it('ends within 3 s while its dependencies hang', async () => {
    detector = () => {};
    await upload();
    process.kill(redis.pid, 'SIGSTOP');
    const startedAt = performance.now();
    const ended = new Promise((resolve) => pipeline.once('exit', resolve));
    pipeline.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(3000);
    process.kill(redis.pid, 'SIGCONT');
  });
});
