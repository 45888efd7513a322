import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { io, type Socket } from 'socket.io-client';
import type { ViewerEventChange, ViewerMessage } from '#lib/protocol/viewers.ts';
import type { System } from '#tests/support/system.ts';

/** Where the work on an upload, or on the event that it becomes part of, can be interrupted; in the order of the work. */
export const STAGES = [
  /** Bytes of an FTP upload are on their way. */
  'receiving',
  /** Whole on the server's disk, the final positive answer not given: no record of it yet. */
  'accepting',
  /** On record, in the inbox, not scheduled. */
  'accepted',
  /** Scheduled in the fallback tiers, since Redis took no jobs. */
  'parked',
  /** Its job waits in Redis. */
  'queued',
  /** Its job was handed out; no row. */
  'detecting',
  /** Its row has committed; Redis does not know that the job is done. */
  'stored, not acknowledged',
  /** Detected, in a batch that is open. */
  'batching',
  /** Its batch waits as a job in Redis. */
  'batched',
  /** The batch's job was handed out; no event. */
  'analysing',
  /** The event has committed; Redis does not know that the job is done. */
  'event stored, not acknowledged',
  /** The event has committed; a viewer that is connected does not have it. */
  'publishing',
  'detection owed',
  'analysis owed',
] as const;
export type Stage = (typeof STAGES)[number];

/** How many uploads (or events) were in each stage at one moment. */
export type Position = Readonly<Record<Stage, number>>;

const JOB_ID_LISTS = ['wait', 'paused', 'delayed', 'prioritized', 'active'] as const;
const CALL_MS = 1500;
/** End of a whole JPEG. */
const JPEG_END = 0xffd9;

/** Sees from outside where everything is: files, records, the log, Redis, SQL, and a viewer of its own. */
export class StageObserver {
  readonly #system: System;
  readonly #viewer: Socket;
  readonly #seen = new Set<string>();
  #viewerSince = Number.POSITIVE_INFINITY;
  #redis: Redis | undefined;
  #sql: Client | undefined;
  #logOffset = 0;
  /** Uploads that the running pipeline says it has scheduled. */
  readonly #scheduled = new Set<string>();

  constructor(system: System) {
    this.#system = system;
    this.#viewer = io(system.backendUrl, { transports: ['websocket'], reconnectionDelayMax: 500 });
    this.#viewer.on('connect', () => {
      this.#viewerSince = Date.now();
    });
    this.#viewer.on('disconnect', () => {
      this.#viewerSince = Number.POSITIVE_INFINITY;
    });
    this.#viewer.on('events', ({ data }: ViewerMessage<ViewerEventChange>) => this.#seen.add(data.event.id));
  }

  /** The position of the work while the pipeline stands still: two equal looks, so that what was on the wire has arrived. */
  async lookTwice(): Promise<Position> {
    let last = await this.#look();
    for (let turn = 0; turn < 5; turn++) {
      const next = await this.#look();
      if (JSON.stringify(next) === JSON.stringify(last)) return next;
      last = next;
    }
    return last;
  }

  /** The pipeline was killed: what it held in memory is forgotten. */
  forgetMemory(): void {
    this.#readLog();
    this.#scheduled.clear();
  }

  async close(): Promise<void> {
    this.#viewer.close();
    this.#redis?.disconnect();
    await this.#sql?.end().catch(() => {});
  }

  /** @throws when Redis or PostgreSQL cannot be read */
  async #look(): Promise<Position> {
    try {
      return await this.#read();
    } catch (error) {
      this.#redis?.disconnect();
      this.#redis = undefined;
      void this.#sql?.end().catch(() => {});
      this.#sql = undefined;
      throw error;
    }
  }

  async #read(): Promise<Position> {
    const { receiving, accepting, inbox } = this.#files();
    this.#readLog();
    const detection = await this.#jobs('detection_queue');
    const analysis = await this.#jobs('analysis_queue');
    const batchOf = await this.#batches([...analysis.waiting, ...analysis.active]);
    const known = [...new Set([...inbox, ...detection.waiting, ...detection.active])];
    const rows = new Set(
      await this.#column('select upload_id as id from uploads where upload_id = any($1)', [known]),
    );
    const events = new Set(
      await this.#column('select event_id as id from events where event_id = any($1)', [analysis.active]),
    );
    const loose = await this.#column(
      `select d.upload_id as id from detections d where d.detection = 'done'
         and not exists (select from event_uploads e where e.upload_id = d.upload_id)`,
    );
    const inBatch = new Map(
      batchOf.flatMap(({ id, uploadIds }) => uploadIds.map((uploadId) => [uploadId, id])),
    );
    const fresh = Number.isFinite(this.#viewerSince)
      ? await this.#column('select event_id as id from events where created_at > $1', [
          new Date(this.#viewerSince),
        ])
      : [];
    const [owed] = await this.#rows<{ detections: string; events: string }>(
      `select (select count(*) from detections where owed) as detections,
         (select count(*) from events where owed) as events`,
    );
    const active = new Set(detection.active);
    const idle = [...inbox].filter(
      (id) => !rows.has(id) && !detection.waiting.includes(id) && !active.has(id),
    );
    const analysing = new Set(analysis.active);
    return {
      receiving,
      accepting,
      accepted: idle.filter((id) => !this.#scheduled.has(id)).length,
      parked: idle.filter((id) => this.#scheduled.has(id)).length,
      queued: detection.waiting.length,
      detecting: detection.active.filter((id) => !rows.has(id)).length,
      'stored, not acknowledged': detection.active.filter((id) => rows.has(id)).length,
      batching: loose.filter((id) => !inBatch.has(id)).length,
      batched: loose.filter((id) => inBatch.has(id) && !analysing.has(inBatch.get(id) ?? '')).length,
      analysing: loose.filter((id) => analysing.has(inBatch.get(id) ?? '')).length,
      'event stored, not acknowledged': analysis.active.filter((id) => events.has(id)).length,
      publishing: fresh.filter((id) => !this.#seen.has(id)).length,
      'detection owed': Number(owed?.detections ?? 0),
      'analysis owed': Number(owed?.events ?? 0),
    };
  }

  #files(): { receiving: number; accepting: number; inbox: Set<string> } {
    const { dataDir } = this.#system;
    const records = readdirSync(join(dataDir, 'intake'))
      .map((name) => readFileSync(join(dataDir, 'intake', name), 'utf8'))
      .join('');
    const whole = readdirSync(join(dataDir, 'incoming')).map((name) =>
      isWhole(join(dataDir, 'incoming', name)),
    );
    const ids = readdirSync(join(dataDir, 'inbox')).map((name) => name.split('.')[0] ?? '');
    const inbox = new Set(ids.filter((id) => records.includes(`"id":"${id}"`)));
    return {
      receiving: whole.filter((each) => !each).length,
      accepting: whole.filter(Boolean).length + ids.length - inbox.size,
      inbox,
    };
  }

  #readLog(): void {
    const path = join(this.#system.dataDir, 'logs', 'pipeline.log');
    const { size } = statSync(path);
    if (size < this.#logOffset) this.#logOffset = 0; // rotated
    const bytes = Buffer.alloc(size - this.#logOffset);
    const file = openSync(path, 'r');
    readSync(file, bytes, 0, bytes.length, this.#logOffset);
    closeSync(file);
    const whole = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
    this.#logOffset += whole.length;
    for (const line of whole.toString().split('\n')) {
      const id = line.includes('"stage":"queued"') && /"uploadId":"(\w+)"/.exec(line)?.[1];
      if (id) this.#scheduled.add(id);
    }
  }

  async #jobs(queue: string): Promise<{ waiting: string[]; active: string[] }> {
    const redis = await this.#redisClient();
    const call = redis.multi();
    for (const list of JOB_ID_LISTS) {
      if (list === 'delayed' || list === 'prioritized') call.zrange(`bull:${queue}:${list}`, 0, '-1');
      else call.lrange(`bull:${queue}:${list}`, 0, -1);
    }
    const answers = ((await call.exec()) ?? []).map(([error, ids]) => {
      if (error) throw error;
      return (ids as string[]).filter((id) => !id.startsWith('0:'));
    });
    return { waiting: answers.slice(0, -1).flat(), active: answers.at(-1) ?? [] };
  }

  async #batches(jobIds: readonly string[]): Promise<{ id: string; uploadIds: string[] }[]> {
    const redis = await this.#redisClient();
    const found = await Promise.all(
      jobIds.map(async (id) => ({ id, data: await redis.hget(`bull:analysis_queue:${id}`, 'data') })),
    );
    return found.map(({ id, data }) => ({ id, uploadIds: data ? JSON.parse(data).payload.uploadIds : [] }));
  }

  async #column(text: string, values: unknown[] = []): Promise<string[]> {
    return (await this.#rows<{ id: string }>(text, values)).map(({ id }) => id);
  }

  async #rows<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
    this.#sql ??= await this.#sqlClient();
    return (await this.#sql.query(text, values)).rows as Row[];
  }

  async #redisClient(): Promise<Redis> {
    if (this.#redis) return this.#redis;
    const redis = new Redis({
      ...this.#system.wiring.direct.redis,
      lazyConnect: true,
      retryStrategy: () => null,
      connectTimeout: CALL_MS,
      commandTimeout: CALL_MS,
    });
    redis.on('error', () => {}); // told by the call that fails
    await redis.connect();
    this.#redis = redis;
    return redis;
  }

  async #sqlClient(): Promise<Client> {
    const { direct, databaseUser, databasePassword, databaseName } = this.#system.wiring;
    const client = new Client({
      ...direct.database,
      user: databaseUser,
      password: databasePassword,
      database: databaseName,
      connectionTimeoutMillis: CALL_MS,
      query_timeout: CALL_MS,
    });
    client.on('error', () => {}); // told by the query that fails
    await client.connect();
    return client;
  }
}

function isWhole(path: string): boolean {
  if (!existsSync(path)) return true; // renamed since the folder was read
  const bytes = readFileSync(path);
  return bytes.length >= 2 && bytes.readUInt16BE(bytes.length - 2) === JPEG_END;
}
