import { createHash } from 'node:crypto';
import { Queue, Worker } from 'bullmq';
import { Client, Pool } from 'pg';
import sharp from 'sharp';
import { systemClock } from '#lib/chaos/clock.ts';
import type { Wiring } from '#server/config.ts';
import { Database } from '#server/pipeline/database/database.ts';
import { migrate } from '#server/pipeline/database/migrate.ts';
import { analysisPrompt, type PromptFrame } from '#server/pipeline/work/analysis-prompt.ts';
import { Detector } from '#server/pipeline/work/detector.ts';
import { FrameBatcher } from '#server/pipeline/work/frame-batcher.ts';
import { LanguageModel } from '#server/pipeline/work/language-model.ts';
import { answerCalls } from '../measure-child.ts';
import { type BenchFrame, nextFrame } from './bench-frames.ts';
import { insertEvent, insertFrame } from './floor-rows.ts';

/**
 * The stages without which no frame becomes a stored event, and nothing else:
 *
 *     decode ─► hash ─► queue ─► (detector) ─► row ─► 20 of a camera ─► queue ─► (language model) ─► row
 *
 * No FTP, no files, no proxies, no logs, no duplicates, no retries. Redis, PostgreSQL and, where they are given, the
 * models are those of the running system, past its proxies; batches and what runs at once are as in the pipeline.
 */
const BATCH = 8;
const EVENT_DETECTIONS = 20;
const DETECTION_CONCURRENCY = 8;
const ANALYSIS_CONCURRENCY = 3;
const MODEL_TIMEOUT_MS = 60_000;
/** libuv's threads that decode. */
const DECODED_AT_ONCE = 2;
const DATABASE = 'bench_floor';

interface Job {
  id: string;
}
interface Batch {
  camera: string;
  ids: string[];
}
interface Held extends BenchFrame {
  sha256: string;
  detections: PromptFrame['detections'];
}

sharp.concurrency(1);
sharp.cache(false);

const held = new Map<string, Held>();
let openBatches = new Map<string, { ids: string[]; detections: number }>();
let stored = 0;
let inFlight = 0;
let close: () => Promise<void> = async () => {};
let add: (frame: BenchFrame) => Promise<void> = async () => {};
let stopped = true;
let running: Promise<unknown> = Promise.resolve();
let failure: Error | undefined;

interface Place extends Pick<Wiring, 'direct' | 'databaseUser' | 'databasePassword' | 'redisPassword'> {
  /** Whether the models are called; else they are taken to answer at once. */
  withModels: boolean;
}

const handlers = {
  async open({ direct, databaseUser, databasePassword, redisPassword, withModels }: Place) {
    const account = { ...direct.database, user: databaseUser, password: databasePassword };
    await makeDatabase(account);
    const pool = new Pool({ ...account, database: DATABASE, max: 10 });
    const connection = {
      ...direct.redis,
      ...(redisPassword === null ? {} : { password: redisPassword }),
      maxRetriesPerRequest: null,
    };
    const options = { connection, skipVersionCheck: true, defaultJobOptions: { removeOnComplete: true } };
    const detections = new Queue<Job>('bench_floor_detection', options);
    const analyses = new Queue<Batch>('bench_floor_analysis', options);
    const [yolo26, nemotron] = [direct.yolo26, direct.nemotron].map((text) => {
      const { hostname: host, port } = new URL(text);
      return { host, port: Number(port), connectMs: 2000 };
    });
    const detector = yolo26 && withModels ? new Detector(yolo26) : undefined;
    const model = nemotron && withModels ? new LanguageModel(nemotron) : undefined;
    const batcher = new FrameBatcher<Held & { id: string }, PromptFrame['detections']>({
      clock: systemClock,
      maxSize: () => BATCH,
      run: async (frames) => {
        const outcomes = await detector?.detect(frames, MODEL_TIMEOUT_MS);
        return frames.map((_, index) => {
          const outcome = outcomes?.[index];
          return outcome?.ok ? outcome.result.detections : [];
        });
      },
    });
    const detecting = new Worker<Job>(
      detections.name,
      async ({ data: { id } }) => {
        const frame = held.get(id);
        if (!frame) return;
        frame.detections = detector ? await batcher.add({ ...frame, id }) : [];
        await insertFrame(pool, id, frame);
        const batch = openBatches.get(frame.camera) ?? { ids: [], detections: 0 };
        openBatches.set(frame.camera, batch);
        batch.ids.push(id);
        batch.detections += Math.max(1, frame.detections.length);
        if (batch.detections < EVENT_DETECTIONS) return;
        openBatches.delete(frame.camera);
        await analyses.add('analysis', { camera: frame.camera, ids: batch.ids });
      },
      { connection, concurrency: DETECTION_CONCURRENCY, skipVersionCheck: true },
    );
    const analysing = new Worker<Batch>(
      analyses.name,
      async ({ data: { camera, ids } }) => {
        const frames = ids.map((id) => held.get(id)).filter((frame) => frame !== undefined);
        const prompt = frames.map(({ capturedAt, detections: seen }) => ({
          at: capturedAt,
          detections: seen,
          degraded: false,
        }));
        await model?.analyse(analysisPrompt(camera, prompt), MODEL_TIMEOUT_MS, ids[0] ?? '');
        await insertEvent(pool, camera, ids, frames);
        for (const id of ids) held.delete(id);
        stored += ids.length;
        inFlight -= ids.length;
      },
      { connection, concurrency: ANALYSIS_CONCURRENCY, skipVersionCheck: true },
    );
    for (const worker of [detecting, analysing])
      worker.on('failed', (_job, error) => {
        failure ??= error;
      });
    add = async (frame) => {
      await sharp(frame.bytes, { failOn: 'warning' }).raw().toBuffer();
      const sha256 = createHash('sha256').update(frame.bytes).digest('hex');
      const id = frame.traceId;
      held.set(id, { ...frame, sha256, detections: [] });
      await detections.add('detection', { id });
    };
    close = async () => {
      for (const part of [detecting, analysing, detections, analyses]) await part.close();
      await pool.end();
    };
  },
  start({ inFlight: limit }: { inFlight: number }) {
    stopped = false;
    running = Promise.all(
      Array.from({ length: DECODED_AT_ONCE }, async () => {
        while (!stopped) {
          if (inFlight >= limit) {
            await new Promise((resolve) => setTimeout(resolve, 2));
            continue;
          }
          inFlight++;
          await add(nextFrame());
        }
      }),
    );
    running.catch(() => {}); // told by `stop`
  },
  /** Frames in stored events so far. */
  stored: () => stored,
  /** Frames whose event is not full stay behind. */
  async stop() {
    stopped = true;
    await running;
    const left = () => inFlight - [...openBatches.values()].reduce((sum, { ids }) => sum + ids.length, 0);
    while (left() > 0) {
      if (failure) throw failure;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    openBatches = new Map();
    held.clear();
    inFlight = 0;
    stored = 0;
  },
  close: () => close(),
};
export type FloorCalls = typeof handlers;

async function makeDatabase(account: { host: string; port: number; user: string; password: string }) {
  const client = new Client({ ...account, database: 'postgres' });
  await client.connect();
  await client.query(`CREATE DATABASE ${DATABASE}`);
  await client.end();
  const database = new Database({ ...account, database: DATABASE });
  await migrate(database, { signal: AbortSignal.timeout(20_000) });
  await database.close();
}

answerCalls(handlers);
