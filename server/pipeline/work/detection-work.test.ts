import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CircuitBreaker } from '#lib/chaos/breaker/circuit-breaker.ts';
import { systemClock } from '#lib/chaos/clock.ts';
import type { FallbackJob } from '#lib/chaos/fallback/fallback-job.ts';
import { createLogger } from '#server/logging.ts';
import { frameNumber } from '#tests/support/frames.ts';
import { startTestPostgres, type TestPostgres } from '#tests/support/postgres.ts';
import { Database } from '../database/database.ts';
import { migrate } from '../database/migrate.ts';
import { DependencyTracker } from '../dependencies/dependency-tracker.ts';
import { BatchSize } from './batch-size.ts';
import { DetectionCalls } from './detection-calls.ts';
import { type DetectionPayload, DetectionWork } from './detection-work.ts';
import { Detector } from './detector.ts';
import { closeHttpConnections } from './http-call.ts';
import { OwedWork } from './owed-work.ts';
import { storeUpload } from './upload-rows.ts';

let postgres: TestPostgres;
let db: Database;
let folder: string;
/** What the detector answers to every call. */
let answer = {
  status: 504,
  body: '{"error":{"code":"INFERENCE_TIMEOUT","message":"the kernel was given up"}}',
};
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
  });
});

beforeAll(async () => {
  postgres = await startTestPostgres();
  const { host, port, user, password, database } = postgres;
  db = new Database({ host, port, user, password, database });
  await migrate(db, { signal: AbortSignal.timeout(20_000), onRetry: () => {} });
  folder = await mkdtemp(join(tmpdir(), 'brownout-detection-'));
  await writeFile(join(folder, 'frame.jpg'), frameNumber(1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
}, 60_000);

afterAll(async () => {
  closeHttpConnections();
  server.close();
  await db?.close();
  await postgres?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

function makeCalls() {
  const breaker = new CircuitBreaker('yolo26', { failureThreshold: 1000 });
  const { port } = server.address() as AddressInfo;
  const calls = new DetectionCalls({
    detector: new Detector({ host: '127.0.0.1', port, connectMs: 3000 }),
    breaker,
    tracker: new DependencyTracker({ clock: systemClock, activeFaults: () => [], recentMs: 0 }),
    batchSize: new BatchSize(),
    clock: systemClock,
    timeoutMs: () => 2000,
  });
  return { breaker, calls };
}

function makeLogger() {
  const records: Record<string, unknown>[] = [];
  const write = (line: string) => void records.push(JSON.parse(line) as Record<string, unknown>);
  return { logger: createLogger('pipeline', 'debug', { write }), records };
}

function makeWork() {
  const letters: { attempts: number; retryable: boolean }[] = [];
  const work = new DetectionWork({
    db,
    intake: { locate: async () => join(folder, 'frame.jpg'), store: async () => {}, discard: async () => {} },
    calls: makeCalls().calls,
    clock: systemClock,
    logger: makeLogger().logger,
    parkMs: 100,
    deadLetter: async (job, _error, retryable) => void letters.push({ attempts: job.attempts, retryable }),
    isDead: () => false,
    onStored: () => {},
    onDuplicate: () => {},
    onTimedOut: () => {},
    onRetryAfter: () => {},
  });
  return { work, letters };
}

function makeJob(attempts: number): FallbackJob<DetectionPayload> {
  const id = '01J0000000000000000000000A';
  const payload: DetectionPayload = {
    id,
    camera: 'cam-01',
    name: 'frame.jpg',
    sizeBytes: 1,
    acceptedAt: Date.now(),
    traceId: 'trace',
    kind: 'image',
    path: join(folder, 'frame.jpg'),
    sha256: '0'.repeat(64),
    capturedAt: null,
    sequence: null,
  };
  return { id, type: 'detection', payload, traceId: 'trace', enqueuedAt: Date.now(), attempts };
}

describe('DetectionWork', () => {
  it('parks a job whose call failed for growing times, then makes it a dead letter that is re-driven', async () => {
    const { work, letters } = makeWork();
    for (let attempts = 0; attempts < 11; attempts++) {
      const outcome = await work.process(makeJob(attempts));
      const shortestMs = Math.min(5000, 100 * 2 ** attempts);
      expect(outcome).toMatchObject({ kind: 'parked', countAttempt: true });
      const { delayMs } = outcome as Extract<typeof outcome, { kind: 'parked' }>;
      expect(delayMs, `after attempt ${attempts + 1}`).toBeGreaterThanOrEqual(shortestMs);
      expect(delayMs, `after attempt ${attempts + 1}`).toBeLessThanOrEqual(shortestMs * 1.25);
    }
    expect(letters).toEqual([]);
    expect(await work.process(makeJob(11))).toEqual({ kind: 'done' });
    expect(letters).toEqual([{ attempts: 11, retryable: true }]);
    expect(await db.query('SELECT 1 FROM uploads'), 'nothing is made up').toEqual([]);
  });

  it('keeps a detection owed while its file cannot be read, and gives it up once the file is gone', async () => {
    await db.query('TRUNCATE uploads, detections CASCADE');
    await storeUpload(db, makeJob(0).payload, { kind: 'unavailable' });
    let path: string | undefined = folder; // reading a folder fails, and it is not gone
    const { logger, records } = makeLogger();
    const { breaker, calls } = makeCalls();
    const owed = new OwedWork({
      db,
      intake: () => ({ locate: async () => path }),
      calls,
      analysis: { ask: () => Promise.reject(new Error('not asked')) },
      detectorBreaker: breaker,
      modelBreaker: breaker,
      clock: systemClock,
      logger,
      rhythm: { busyMs: 10, idleMs: 10, deferMs: 50 },
      canDetect: () => true,
      canAnalyse: () => false,
      onUpdated: () => {},
    });
    const isOwed = async () => (await db.query<{ owed: boolean }>('SELECT owed FROM detections'))[0]?.owed;
    const told = (text: string) => records.filter(({ msg }) => String(msg).includes(text)).length;
    owed.start();
    await vi.waitFor(() => expect(told('cannot be read now')).toBeGreaterThanOrEqual(2), { timeout: 10_000 });
    expect(await isOwed()).toBe(true);
    path = undefined;
    await vi.waitFor(async () => expect(await isOwed()).toBe(false), { timeout: 10_000 });
    expect(told('the file is gone')).toBe(1);
    await owed.close();
  });

  it('stores a frame once however often its job comes', async () => {
    await db.query('TRUNCATE uploads, detections CASCADE');
    const { work } = makeWork();
    answer = {
      status: 200,
      body: '{"detections":[],"inference_time_ms":40,"image_width":320,"image_height":240}',
    };
    for (let turn = 0; turn < 3; turn++) expect(await work.process(makeJob(0))).toEqual({ kind: 'done' });
    expect(await db.query('SELECT status FROM uploads')).toEqual([{ status: 'stored' }]);
    expect(await db.query('SELECT degraded, owed FROM detections')).toEqual([
      { degraded: false, owed: false },
    ]);
  });
});
