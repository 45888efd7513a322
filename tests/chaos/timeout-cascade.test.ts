import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest';
import { systemClock } from '#lib/chaos/clock.ts';
import { DeadLetterStore } from '#lib/chaos/dead-letters/dead-letter-store.ts';
import { DiskTier } from '#lib/chaos/fallback/disk-tier.ts';
import { FallbackChain } from '#lib/chaos/fallback/fallback-chain.ts';
import { MemoryTier } from '#lib/chaos/fallback/memory-tier.ts';
import { RetryBudget } from '#lib/chaos/retry/retry-budget.ts';
import type { FactData } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import type { BreakerState, QueueStatus } from '#lib/protocol/state.ts';
import type { ViewerEventChange, ViewerNotice } from '#lib/protocol/viewers.ts';
import { DependencyTracker } from '#server/pipeline/dependencies/dependency-tracker.ts';
import { createCache } from '#server/pipeline/viewers/cache.ts';
import { riskLevelOf } from '#server/pipeline/work/analysis-answer.ts';
import { AnalysisWork } from '#server/pipeline/work/analysis-work.ts';
import { DeadLetterCommands } from '#server/pipeline/work/dead-letter-commands.ts';
import { DeadLetterDesk } from '#server/pipeline/work/dead-letter-desk.ts';
import { DroppedUploads } from '#server/pipeline/work/dropped-uploads.ts';
import { HttpTimeoutError } from '#server/pipeline/work/http-call.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import {
  detectorOf,
  languageModelOf,
  makeBreaker,
  makeFrame,
  pipelineBreaker,
  pipelineService,
  SEEN_MS,
  untilLogged,
  untilPipelineClosed,
  WARN,
} from './clients.ts';
import {
  calmScenariosOf,
  databaseThrough,
  directRedis,
  factsSince,
  jobs,
  keptLogger,
  listOf,
  logSince,
  makeFolder,
  redisThrough,
  reportOf,
  untilModeOf,
  type Viewer,
  viewerOf,
} from './real-parts.ts';

let system: System;
beforeAll(async () => {
  // One camera, so that several frames make an event and the model has time left for those that it owes.
  system = await startSystem({ cameraRate: 3, env: { PROFILE: 'test', CAMERA_COUNT: '1' } });
  await until('the detector knows the background', 30_000, async () => {
    const [row] = await system.sql('select 1 from detections where not warming_up and not owed');
    return row;
  });
});
afterAll(() => system?.close());

const scenario = calmScenariosOf('timeout-cascade', () => system);

/** The calls of the work alone: the health checks pass, as with a model that hangs in an inference. */
const hangDetector = (more: Record<string, unknown> = {}) =>
  system.startFault('yolo26', 'timeout', { match: { route: '/detect' }, ...more });
const hangModel = (more: Record<string, unknown> = {}) =>
  system.startFault('nemotron', 'timeout', { match: { route: '/completion' }, ...more });

const PROMPT = 'Camera: probe\nFrames: 1\nObjects: 1 × car';
const TIMED_OUT = 'detector timed out: stored without detections';

interface StoredEvent {
  event_id: string;
  risk_score: number;
  risk_level: string;
  risk_source: 'llm' | 'cache' | 'object_estimate' | 'default';
  summary: string;
  degraded: boolean;
  owed: boolean;
  created_at: Date;
}

interface StoredFrame {
  upload_id: string;
  degraded: boolean;
  owed: boolean;
  detections: unknown[];
  events: string[];
}

async function eventOf(eventId: string): Promise<StoredEvent | undefined> {
  const [event] = await system.sql<StoredEvent>('select * from events where event_id = $1', [eventId]);
  return event;
}

/** Stored frames with the events that they are in. */
const framesOf = (uploadIds: readonly string[]) =>
  system.sql<StoredFrame>(
    `select upload_id, degraded, owed, detections,
       array(select event_id from event_uploads e where e.upload_id = d.upload_id) as events
     from detections d where upload_id = any($1) order by upload_id`,
    [uploadIds],
  );

/** The event of an upload, once it is stored. */
const untilEventWith = (uploadId: string) =>
  until('its event is stored', SEEN_MS, async () => {
    const [event] = await system.sql<StoredEvent>(
      'select e.* from events e join event_uploads using (event_id) where upload_id = $1',
      [uploadId],
    );
    return event;
  });

/** Nothing of an event is a stand-in any more. */
const untilMadeGood = (eventId: string) =>
  until('the event is made good', 2 * SEEN_MS, async () => {
    const event = await eventOf(eventId);
    return event && !event.degraded && !event.owed && event.risk_source === 'llm' ? event : undefined;
  });

/** Earlier scenarios owe no detection any more. */
const untilAllDetected = () =>
  until('no detection is owed', 30_000, async () => {
    return (await system.sql('select 1 from detections where owed limit 1')).length === 0;
  });

/** A viewer with what it was shown. */
async function watch(): Promise<{ viewer: Viewer; changes: ViewerEventChange[]; notices: ViewerNotice[] }> {
  const viewer = await viewerOf(system.backendUrl);
  const changes: ViewerEventChange[] = [];
  const notices: ViewerNotice[] = [];
  viewer.on('events', ({ data }) => changes.push(data));
  viewer.on('notice', (notice) => notices.push(notice));
  return { viewer, changes, notices };
}

const untilShown = (
  changes: readonly ViewerEventChange[],
  eventId: string,
  fits: (change: ViewerEventChange) => boolean,
) =>
  until('the viewer is shown the event', SEEN_MS, () =>
    changes.find((change) => change.event.id === eventId && fits(change)),
  );

const untilNoticed = (notices: readonly ViewerNotice[], service: string) =>
  until('the viewers are told', SEEN_MS, () =>
    notices.find((notice) => notice.type === 'timeout' && notice.service === service),
  );

const timeOf = (record: Record<string, unknown>) => Date.parse(String(record['time']));
const uploadsOf = (record: Record<string, unknown>) => record['uploads'] as string[];
const untilTimedOut = (since: number) =>
  untilLogged(system, 'pipeline', since, ({ msg }) => msg === TIMED_OUT);

/** The pipeline's own breaker, as its facts tell. */
const untilBreaker = (fault: Fault, name: string, to: BreakerState) =>
  until(`the pipeline's breaker ${name} has become ${to}`, SEEN_MS, async () => {
    const changes: FactData['breakerChanged'][] = await factsSince(system, fault, 'breakerChanged');
    return changes.find((change) => change.breaker === name && change.to === to);
  });

const breakerStates = async () =>
  Object.fromEntries((await reportOf(system)).breakers.map(({ name, state }) => [name, state]));

/** When the pipeline's breaker moved like this since `since`, ms. */
const breakerMoves = (name: string, move: string, since: number) =>
  logSince(system, since)
    .filter(({ msg }) => msg === `breaker ${name}: ${move}`)
    .map(timeOf);

async function queueOf(name: 'detection' | 'analysis'): Promise<QueueStatus> {
  const queue = (await reportOf(system)).queues.find((each) => each.name === name);
  if (!queue) throw new Error(`there is no queue ${name}`);
  return queue;
}

const untilQueuesInRedis = () =>
  until('the queues are in Redis again', SEEN_MS, async () => {
    const { queues } = await reportOf(system);
    return queues.every(({ tier, paused }) => tier === 'redis' && !paused);
  });

/** Everything that was called or waited is as before. */
async function untilWell(...breakers: string[]): Promise<void> {
  await untilModeOf(system, 'NORMAL', 20_000);
  for (const name of breakers) await untilPipelineClosed(system, name);
}

describe('timeout cascade', () => {
  scenario('detection-timeout-creates-degraded-event', async (prove) => {
    const { changes, notices } = await watch();
    const since = Date.now();
    let eventId = '';
    await prove({
      faults: await hangDetector(),
      behaviour: async () => {
        const record = await untilTimedOut(since);
        expect(record).toMatchObject({ level: WARN, err: 'The detector did not answer within 1000 ms' });
        const uploadId = String(record['uploadId']);
        const event = await untilEventWith(uploadId);
        eventId = event.event_id;
        expect(event.degraded).toBe(true);
        expect(await framesOf([uploadId])).toMatchObject([{ degraded: true, owed: true, detections: [] }]);
        const shown = await untilShown(changes, eventId, ({ change }) => change === 'created');
        expect(shown.event.degraded).toBe(true);
        expect(shown.event.uploads).toContainEqual(
          expect.objectContaining({ id: uploadId, detections: [], degraded: true }),
        );
        const notice = await untilNoticed(notices, 'yolo26');
        expect(notice).toMatchObject({ retryAfterMs: expect.any(Number) });
      },
      recovery: async () => {
        await untilShown(changes, eventId, ({ change, event }) => change === 'updated' && !event.degraded);
        expect(await eventOf(eventId)).toMatchObject({ degraded: false });
      },
    });
  });

  scenario('enrichment-timeout-uses-default-risk-score', async (prove) => {
    await untilWell('yolo26', 'nemotron');
    const { changes, notices } = await watch();
    const since = Date.now();
    let eventId = '';
    await prove({
      faults: await hangModel(),
      behaviour: async () => {
        const record = await untilLogged(
          system,
          'pipeline',
          since,
          ({ msg, level }) => msg === 'no analysis: default score' && level === WARN,
        );
        expect(record['err']).toBe('POST /completion timed out after 2500 ms');
        eventId = String(record['batchId']);
        const event = await until('the event is stored', SEEN_MS, () => eventOf(eventId));
        expect(['cache', 'object_estimate', 'default']).toContain(event.risk_source);
        expect(event).toMatchObject({ owed: true, risk_level: riskLevelOf(event.risk_score) });
        expect(event.summary).toMatch(/^Not analysed yet/);
        const shown = await untilShown(changes, eventId, ({ change }) => change === 'created');
        expect(shown.event).toMatchObject({ riskScore: event.risk_score, riskSource: event.risk_source });
        await untilNoticed(notices, 'nemotron');
      },
      recovery: async () => {
        await untilMadeGood(eventId);
        await untilShown(changes, eventId, ({ change, event }) => {
          return change === 'updated' && event.riskSource === 'llm';
        });
      },
    });
  });

  scenario('both-detection-and-enrichment-timeout', async (prove) => {
    await untilWell('yolo26', 'nemotron');
    const { changes } = await watch();
    const since = Date.now();
    let eventId = '';
    await prove({
      faults: [await hangDetector(), await hangModel()],
      behaviour: async () => {
        await untilTimedOut(since);
        // Nothing is known but that the camera saw something.
        const event = await until('a minimal event is stored', SEEN_MS, async () => {
          const [row] = await system.sql<StoredEvent>(
            `select * from events e where created_at > $1 and risk_source <> 'llm' and not exists
               (select from event_uploads join detections d using (upload_id)
                where event_id = e.event_id and not d.degraded)`,
            [new Date(since)],
          );
          return row;
        });
        eventId = event.event_id;
        expect(event).toMatchObject({ degraded: true, owed: true });
        expect(['cache', 'default']).toContain(event.risk_source);
        expect(event.summary).toMatch(/^Not analysed yet/);
        const { uploads } = (await untilShown(changes, eventId, ({ change }) => change === 'created')).event;
        expect(uploads.length).toBeGreaterThan(0);
        expect(uploads.flatMap(({ detections }) => detections)).toEqual([]);
        await untilLogged(system, 'pipeline', since, ({ err }) => {
          return err === 'POST /completion timed out after 2500 ms';
        });
      },
      recovery: async () => {
        await untilMadeGood(eventId);
      },
    });
  });

  scenario('db-and-redis-timeout-activates-circuit-breaker', async (prove) => {
    await untilWell('database', 'redis');
    const [database, redis] = [
      await system.startFault('database', 'timeout'),
      await system.startFault('redis', 'timeout'),
    ];
    await prove({
      faults: [database, redis],
      behaviour: async () => {
        for (const name of ['database', 'redis']) {
          expect(await untilBreaker(database, name, 'OPEN')).toMatchObject({
            from: 'CLOSED',
            reason: 'failure_threshold',
            failures: 3,
            origin: 'injected',
          });
        }
        await untilModeOf(system, 'OFFLINE');
        await until('uploads wait in memory', SEEN_MS, async () => {
          const { tier, tiers, paused } = await queueOf('detection');
          return tier === 'memory' && tiers.memory > 0 && paused;
        });
      },
      recovery: async () => {
        await untilWell('database', 'redis');
        await untilQueuesInRedis();
      },
    });
  });

  scenario('db-timeout-during-redis-operation', async (prove) => {
    await untilWell('database', 'redis');
    await untilQueuesInRedis();
    const client = await redisThrough(system, { profile: 'production' });
    const direct = await directRedis(system);
    const fault = await system.startFault('database', 'timeout');
    await prove({
      faults: fault,
      behaviour: async () => {
        await untilBreaker(fault, 'database', 'OPEN');
        const openedAt = Date.now();
        await client.set('scenario:cascade', 'kept', 'EX', 60);
        expect(await client.get('scenario:cascade')).toBe('kept');
        // What the cameras send now is scheduled in Redis itself, and in no tier below it.
        let below = 0;
        await until('three new uploads wait in Redis, none below', SEEN_MS, async () => {
          const { memory, disk } = (await queueOf('detection')).tiers;
          below = Math.max(below, memory + disk);
          const ids = system
            .accepted()
            .filter(({ acceptedAt, uploadId }) => acceptedAt > openedAt && uploadId !== null)
            .map(({ uploadId }) => `bull:detection_queue:${uploadId}`);
          return ids.length >= 3 && (await direct.exists(...ids)) >= 3;
        });
        expect(below, 'most that ever waited below Redis').toBe(0);
        expect(await breakerStates()).toMatchObject({ redis: 'CLOSED' });
        expect(await pipelineService(system, 'redis')).toMatchObject({ healthy: true });
      },
      recovery: () => untilWell('database'),
    });
  });

  scenario('redis-timeout-does-not-block-db-writes', async (prove) => {
    await untilWell('database', 'redis');
    const [event] = await system.sql<StoredEvent>('select * from events order by seq desc limit 1');
    if (!event) throw new Error('There is no event');
    const fault = await system.startFault('redis', 'timeout');
    const note = `seen under ${fault.id}`;
    await prove({
      faults: fault,
      behaviour: async () => {
        await untilBreaker(fault, 'redis', 'OPEN');
        const tookMs: number[] = [];
        // One that waited for Redis would take the 500 ms of its time-out, each time; a busy machine only now and then.
        for (let write = 1; write <= 3 || (write <= 12 && Math.min(...tookMs) >= 400); write++) {
          const startedAt = performance.now();
          const answer = await fetch(`${system.backendUrl}/api/events/${event.event_id}/review`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ note: `${note}: ${write}` }),
          });
          tookMs.push(performance.now() - startedAt);
          expect(answer.status).toBe(200);
        }
        expect(Math.min(...tookMs), 'time for the quickest write, ms').toBeLessThan(400);
        expect(
          await system.sql('select review_note from events where event_id = $1', [event.event_id]),
        ).toEqual([{ review_note: `${note}: ${tookMs.length}` }]);
        expect(await breakerStates()).toMatchObject({ database: 'CLOSED' });
        expect(await pipelineService(system, 'database')).toMatchObject({ healthy: true });
      },
      recovery: async () => {
        await untilWell('redis');
        await untilQueuesInRedis();
      },
    });
  });

  scenario('api-timeout-sends-timeout-message-to-websocket', async (prove) => {
    await untilWell('database');
    const { notices } = await watch();
    // A page that nobody has asked for is not in the cache.
    const page = () => fetch(`${system.backendUrl}/api/events?before=${Date.now()}`);
    await prove({
      faults: await system.startFault('database', 'timeout'),
      behaviour: async () => {
        // While the breaker is open no read waits until it times out: they are told to come again sooner.
        await until('a read times out', SEEN_MS, async () => {
          const answer = await page();
          expect({ status: answer.status, retryAfter: answer.headers.get('retry-after') }).toEqual({
            status: 503,
            retryAfter: '5',
          });
          expect(await answer.json()).toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
          return true;
        });
        const notice = await untilNoticed(notices, 'database');
        expect(notice).toEqual({ type: 'timeout', service: 'database', retryAfterMs: 5000 });
      },
      recovery: async () => {
        await untilWell('database');
        await until('pages are fresh again', SEEN_MS, async () => {
          const answer = await page();
          return answer.status === 200 && ((await answer.json()) as { stale: boolean }).stale === false;
        });
      },
    });
  });

  scenario('websocket-timeout-closes-connection-gracefully', async (prove) => {
    const [slow, quick] = [await watch(), await watch()];
    const socket = rawSocketOf(slow.viewer);
    const askAgain = () => slow.viewer.emitWithAck('subscribe', { channel: 'events', lastSeq: 0 });
    // How much one such answer brings: what is kept now, and what the other viewer is shown from here on.
    let answerBytes = 0;
    quick.viewer.on('events', (message) => {
      answerBytes += Buffer.byteLength(JSON.stringify(['events', message]));
    });
    await until('there are events to send again', 2 * SEEN_MS, async () => {
      const readBefore = socket.bytesRead;
      await askAgain(); // the events come before their acknowledgement
      answerBytes = socket.bytesRead - readBefore;
      return answerBytes > 20_000;
    });
    const closed = new Promise<unknown>((resolve) =>
      slow.viewer.once('disconnect', (_reason, details) => resolve(details)),
    );
    const since = Date.now();
    await prove({
      faults: await system.startFault('pubsub', 'timeout'),
      behaviour: async () => {
        socket.pause();
        onTestFinished(() => void socket.resume());
        // It reads nothing and asks for the same again until more is on its way than the kernels take: enough to wait in
        // the pipeline for as long as its patience lasts, and too little to be cut for what it keeps.
        let askedBytes = 0;
        const record = await until(
          'the slow one is cut',
          2 * SEEN_MS,
          async () => {
            const takenBytes = await bytesInKernel(socket.localPort ?? 0);
            while (askedBytes - takenBytes < 300_000) {
              void askAgain().catch(() => {}); // it is cut before this is acknowledged
              askedBytes += answerBytes;
            }
            return logSince(system, since).find(({ msg }) => msg === 'slow viewer cut');
          },
          10,
        );
        expect(record).toMatchObject({ level: WARN, why: 'send_timeout' });
        socket.resume();
        expect(await closed).toMatchObject({ context: { code: 1001, reason: 'slow_consumer' } });
        // The other one misses nothing, although nothing goes through Redis.
        const seen = quick.changes.length;
        await until('the other viewer is shown more', SEEN_MS, () => quick.changes.length > seen + 2);
        expect(quick.viewer.connected).toBe(true);
      },
      recovery: async () => {
        await untilWell('broadcaster');
        const seen = quick.changes.length;
        await until('events go through Redis', SEEN_MS, () =>
          quick.changes.slice(seen).some(({ via }) => via === 'redis'),
        );
        await until('the one that was cut is back', SEEN_MS, () => slow.viewer.connected);
      },
    });
  });

  scenario('batch-timeout-does-not-delay-next-batch', async (prove) => {
    await untilWell('yolo26');
    await untilAllDetected();
    let since = Date.now();
    let another: Fault | undefined;
    /** Has its detections before the one that hangs is given up, and was queued after it. */
    const overtaking = (timedOut: Record<string, unknown>) => {
      const records = logSince(system, since - 10_000); // the one that hangs may have come before the fault
      const queued = records.filter(({ stage }) => stage === 'queued').map(({ uploadId }) => uploadId);
      const at = queued.indexOf(timedOut['uploadId']);
      const later = at < 0 ? [] : queued.slice(at + 1);
      return records.find(
        (each) =>
          each['stage'] === 'detected' &&
          each['detection'] === 'done' &&
          later.includes(each['uploadId']) &&
          timeOf(each) < timeOf(timedOut),
      );
    };
    await prove({
      faults: await hangDetector({ failFirst: 1 }),
      behaviour: async () => {
        await until('one is detected while another hangs', 2 * SEEN_MS, async () => {
          const stored = overtaking(await untilTimedOut(since));
          if (stored) return stored;
          // The camera sent none while it hung: another one is hung up.
          await untilAllDetected();
          if (another) await system.stopFault(another.id);
          since = Date.now();
          // By way of the network: the first fault has hit and is still in force, and there is one of a kind.
          another = await system.startFault('network', 'timeout', {
            params: { services: ['yolo26'] },
            match: { route: '/detect' },
            failFirst: 1,
          });
          return undefined;
        });
      },
      recovery: async () => {
        await untilAllDetected();
      },
    });
  });

  scenario('timeout-in-batch-does-not-lose-pending-items', async (prove) => {
    await untilWell('yolo26', 'nemotron');
    const breaker = (command: string) => system.api('POST', `/breakers/yolo26/${command}`);
    let pending: string[] = [];
    await prove({
      faults: await system.startFault('yolo26', 'timeout', { match: { route: '/detect/batch' } }),
      behaviour: async () => {
        // Frames pile up, so that one call takes many of them.
        await breaker('open');
        const openedAt = Date.now();
        pending = await until('frames are pending', SEEN_MS, () => {
          const ids = system
            .accepted()
            .filter(({ acceptedAt }) => acceptedAt > openedAt)
            .map(({ uploadId }) => uploadId)
            .filter((id) => id !== null);
          return ids.length >= 5 ? ids : undefined;
        });
        const closedAt = Date.now();
        await breaker('close');
        const together = await until('a batch is told to have timed out', SEEN_MS, () => {
          const records = logSince(system, closedAt).filter(({ msg }) => msg === TIMED_OUT);
          const batches = records.map((first) =>
            records.filter((each) => timeOf(each) >= timeOf(first) && timeOf(each) < timeOf(first) + 300),
          );
          return batches.find(({ length }) => length >= 3)?.map((each) => String(each['uploadId']));
        });
        const ids = new Set([...pending, ...together]);
        await until('each is in one event', SEEN_MS, async () => {
          const stored = await framesOf([...ids]);
          return stored.length === ids.size && stored.every(({ events }) => events.length === 1);
        });
      },
      recovery: async () => {
        await until('all are detected', SEEN_MS, async () => {
          return (await framesOf(pending)).every(({ degraded, owed }) => !degraded && !owed);
        });
      },
    });
  });

  scenario('detector-timeout-delays-enrichment-start', async (prove) => {
    await untilWell('yolo26', 'nemotron');
    const since = Date.now();
    await prove({
      faults: await hangDetector(),
      behaviour: async () => {
        const timedOut = await untilTimedOut(since);
        const uploadId = String(timedOut['uploadId']);
        const event = await untilEventWith(uploadId);
        const records = () => logSince(system, since - 10_000); // it may have come before the fault
        const queued = records().find((each) => each['uploadId'] === uploadId && each['stage'] === 'queued');
        const batched = await until('its batch is told', SEEN_MS, () => {
          const batches = records().filter(({ stage }) => stage === 'batched');
          const found = batches.filter((each) => uploadsOf(each).includes(uploadId));
          return found.length > 0 ? found : undefined;
        });
        expect(timeOf(timedOut) - timeOf(queued ?? {}), 'the detector had its time, ms').toBeGreaterThan(990);
        expect(batched).toHaveLength(1);
        expect(timeOf(batched[0] ?? {}), 'enrichment starts after it').toBeGreaterThanOrEqual(
          timeOf(timedOut),
        );
        // At its second try, when the model took too long at the first.
        await until('it is enriched by the model all the same', SEEN_MS, async () => {
          return (await eventOf(event.event_id))?.risk_source === 'llm';
        });
      },
      recovery: () => untilWell('yolo26'),
    });
  });

  scenario('parallel-service-calls-isolate-timeouts', async (prove) => {
    await untilWell('yolo26', 'nemotron', 'database', 'redis');
    const [detector, model] = [detectorOf(system), languageModelOf(system)];
    const database = databaseThrough(system);
    const redis = await redisThrough(system, { profile: 'production' });
    const since = Date.now();
    const fault = await hangModel();
    await prove({
      faults: fault,
      behaviour: async () => {
        const timed = async (call: Promise<unknown>) => {
          const startedAt = performance.now();
          await call;
          return performance.now() - startedAt;
        };
        const [analysed, ...others] = await Promise.allSettled([
          timed(model.analyse(PROMPT, 4000, 'probe')),
          timed(detector.detect([makeFrame()], 3900)),
          timed(database.query('select 1')),
          timed(redis.ping()),
        ]);
        expect(analysed).toMatchObject({ status: 'rejected', reason: expect.any(HttpTimeoutError) });
        expect(others.map(({ status }) => status)).toEqual(Array(3).fill('fulfilled'));
        await untilBreaker(fault, 'nemotron', 'OPEN');
        const openedAt = Date.now();
        await until('frames are detected all the same', SEEN_MS, () => {
          const stored = logSince(system, openedAt).filter(({ detection }) => detection === 'done');
          return stored.length >= 3;
        });
        expect(await breakerStates()).toMatchObject({
          yolo26: 'CLOSED',
          database: 'CLOSED',
          redis: 'CLOSED',
        });
        expect(breakerMoves('yolo26', 'CLOSED → OPEN', since)).toEqual([]);
        await untilModeOf(system, 'NORMAL');
      },
      recovery: async () => {
        await model.analyse(PROMPT, 4000, 'probe');
        await untilWell('nemotron');
      },
    });
  });

  scenario('timeout-storm-opens-circuit-breaker', async (prove) => {
    await untilWell('yolo26');
    const fault = await hangDetector();
    await prove({
      faults: fault,
      behaviour: async () => {
        expect(await untilBreaker(fault, 'yolo26', 'OPEN')).toMatchObject({
          from: 'CLOSED',
          reason: 'failure_threshold',
          failures: 3,
          origin: 'injected',
        });
        await until('its report says why', SEEN_MS, async () => {
          const { lastError, calls } = await pipelineBreaker(system, 'yolo26');
          return lastError === 'The detector did not answer within 1000 ms' && calls.injected >= 3;
        });
        await until('frames wait instead of being sent', SEEN_MS, async () => {
          const { paused, parked } = await queueOf('detection');
          return paused && parked > 0;
        });
      },
      recovery: async () => {
        await untilWell('yolo26');
        await until('none waits any more', SEEN_MS, async () => {
          const { paused, parked } = await queueOf('detection');
          return !paused && parked === 0;
        });
      },
    });
  });

  scenario('timeout-storm-triggers-rate-limiting', async (prove) => {
    const breaker = makeBreaker('nemotron', { failureThreshold: 1000 });
    const budget = new RetryBudget();
    const ask = analyst({ breaker, budget });
    await prove({
      // Held, then cut: a failure that is worth another try.
      faults: await hangModel({ params: { delayMs: 100 } }),
      behaviour: async () => {
        const startedAt = performance.now();
        const answers = await Promise.allSettled(Array.from({ length: 40 }, ask));
        const seconds = (performance.now() - startedAt) / 1000;
        expect(answers.filter(({ status }) => status === 'rejected')).toHaveLength(40);
        const retries = breaker.status().calls.failed - 40;
        expect(retries).toBeGreaterThanOrEqual(5);
        expect(retries, `retries in ${seconds} s`).toBeLessThanOrEqual(5 + 5 * seconds);
        expect(budget.refused, 'calls that were not tried again').toBeGreaterThanOrEqual(40 - retries);
      },
      recovery: async () => {
        expect(await ask()).toMatchObject({ riskSource: 'llm' });
      },
    });
  });

  scenario('dlq-absorbs-timeout-storm-overflow', async (prove) => {
    const key = `scenario:${crypto.randomUUID()}`;
    // Patient: a push that was given up and done all the same would be there twice.
    const client = await redisThrough(system, { profile: 'production' });
    const direct = await directRedis(system);
    const [tierFolder, folder] = [await makeFolder(), await makeFolder()];
    const store = await DeadLetterStore.open(folder);
    onTestFinished(() => store.close());
    const fault = await system.startFault('redis', 'timeout', { match: { command: 'RPUSH' } });
    const intake = () => {
      throw new Error('These jobs are no uploads');
    };
    const desk = new DeadLetterDesk({
      store,
      intake,
      enqueue: async (job) => void (await chain.enqueue(job as Parameters<typeof chain.enqueue>[0])),
      isWell: () => true,
      faultIds: () => [fault.id],
      clock: systemClock,
      logger: keptLogger().logger,
    });
    const commands = new DeadLetterCommands({
      store,
      dropped: await DroppedUploads.open(join(folder, 'dropped.jsonl')),
      intake,
      redrive: (id) => desk.redrive(id),
      blockedBy: () => null,
      onTask: () => {},
      clock: systemClock,
    });
    onTestFinished(() => commands.close());
    const error = Object.assign(new Error('No tier takes another job'), { code: 'QUEUE_FULL' });
    const chain = new FallbackChain<{ camera: string }>({
      type: 'scenario',
      primary: listOf(client, key),
      tiers: [new MemoryTier(2), await DiskTier.open(tierFolder, { max: 2 })],
      deadLetter: (job) => desk.writeJob(job, { queue: 'scenario', uploadId: null, error, retryable: true }),
    });
    onTestFinished(() => chain.close());
    const storm = jobs(10);
    await prove({
      faults: fault,
      behaviour: async () => {
        const homes: string[] = [];
        for (const job of storm) homes.push(await chain.enqueue(job));
        expect(homes).toEqual(['memory', 'memory', 'disk', 'disk', ...Array(6).fill('overflow')]);
        expect(chain.status()).toMatchObject({
          tier: 'overflow',
          overflowed: 6,
          lastError: 'Command timed out',
        });
        // On disk before the job counts as placed.
        const text = await readFile(join(folder, 'letters.jsonl'), 'utf8');
        const letters = (await commands.list({ limit: 100 })).items;
        expect(letters).toHaveLength(6);
        for (const letter of letters) {
          expect(letter).toMatchObject({ error: { code: 'QUEUE_FULL' }, faultIds: [fault.id] });
          expect(text).toContain(letter.id);
        }
        expect(await direct.lrange(key, 0, -1)).toEqual([]);
      },
      recovery: async () => {
        await until('the tiers have drained', SEEN_MS, () => chain.parked === 0);
        expect(await commands.redrive({ queue: 'scenario', ratePerSecond: 100 })).toMatchObject({
          accepted: 6,
        });
        await until('all are in the queue', SEEN_MS, async () => (await direct.llen(key)) === 10);
        expect((await direct.lrange(key, 0, -1)).toSorted()).toEqual(storm.map(({ id }) => id).toSorted());
        await until('no letter is left', SEEN_MS, () => store.size === 0);
      },
    });
  });

  scenario('multiple-service-timeouts-trigger-degraded-mode', async (prove) => {
    const { viewer } = await watch();
    const told: Record<string, unknown>[] = [];
    viewer.on('service_status', ({ data }) => told.push(data));
    const faults = [
      await system.startFault('yolo26', 'timeout'),
      await system.startFault('nemotron', 'timeout'),
    ];
    await prove({
      faults,
      behaviour: async () => {
        await untilModeOf(system, 'DEGRADED');
        const failures = await until('both are down', SEEN_MS, async () => {
          const found = [await pipelineService(system, 'yolo26'), await pipelineService(system, 'nemotron')];
          expect(found.map(({ origin }) => origin)).toEqual(['injected', 'injected']);
          return found.every(({ healthy }) => !healthy) ? found[0]?.consecutiveFailures : undefined;
        });
        await until('three more rounds were made', SEEN_MS, async () => {
          return (await pipelineService(system, 'yolo26')).consecutiveFailures >= failures + 3;
        });
        const { mode, queues } = await reportOf(system);
        expect(mode).toMatchObject({ mode: 'DEGRADED', features: ['events', 'media', 'ingest'] });
        expect(mode.causes.map(({ service }) => service)).toEqual(
          expect.arrayContaining(['yolo26', 'nemotron']),
        );
        expect(queues.find(({ name }) => name === 'analysis')?.paused, 'events are still made').toBe(false);
        await until('the viewer is told', SEEN_MS, () => told.length > 0);
        expect(told.at(0)).toMatchObject({ mode: 'DEGRADED', from: 'NORMAL' });
      },
      recovery: async () => {
        await untilWell('yolo26', 'nemotron');
        await until('the viewer is told of it', SEEN_MS, () => told.length > 1);
        expect(told.slice(0, 2).map(({ mode }) => mode)).toEqual(['DEGRADED', 'NORMAL']);
      },
    });
  });

  scenario('degraded-mode-uses-longer-timeouts', async (prove) => {
    await untilWell('yolo26');
    const since = Date.now();
    // Slower than a call may be in NORMAL, fast enough for DEGRADED.
    const slow = await system.startFault('yolo26', 'latency', {
      params: { latencyMs: 1400 },
      match: { route: '/detect' },
    });
    const untilGivenUp = (from: number) =>
      untilLogged(
        system,
        'pipeline',
        from,
        ({ err }) => err === 'The detector did not answer within 1000 ms',
      );
    await untilGivenUp(since);
    await prove({
      faults: await system.startFault('pubsub', 'timeout'),
      behaviour: async () => {
        await untilModeOf(system, 'DEGRADED');
        const degradedAt = Date.now();
        const record = await untilLogged(
          system,
          'pipeline',
          degradedAt,
          ({ detection }) => detection === 'done',
        );
        expect(record['sinceAcceptedMs']).toBeGreaterThanOrEqual(1400);
        expect(await framesOf([String(record['uploadId'])])).toMatchObject([{ degraded: false }]);
      },
      recovery: async () => {
        await untilModeOf(system, 'NORMAL');
        await untilGivenUp(Date.now());
        await system.stopFault(slow.id);
        await untilWell('yolo26');
      },
    });
  });

  scenario('circuit-breaker-recovery-timeout-respected', async (prove) => {
    await untilWell('yolo26');
    const since = Date.now();
    /** How long it was OPEN before each trial; one whose opening lies before this scenario is left out. */
    const openMs = () => {
      const opened = [
        ...breakerMoves('yolo26', 'CLOSED → OPEN', since),
        ...breakerMoves('yolo26', 'HALF_OPEN → OPEN', since),
      ].toSorted((a, b) => a - b);
      return breakerMoves('yolo26', 'OPEN → HALF_OPEN', since).flatMap((at) => {
        const openedAt = opened.findLast((time) => time <= at);
        return openedAt === undefined ? [] : [at - openedAt];
      });
    };
    await prove({
      faults: await hangDetector(),
      behaviour: async () => {
        const twice = await until('it has tried twice', SEEN_MS, () =>
          openMs().length >= 2 ? openMs().slice(0, 2) : undefined,
        );
        for (const ms of twice) {
          expect(ms, 'ms OPEN').toBeGreaterThanOrEqual(1495); // of 1500; times are logged in whole ms
          expect(ms, 'ms OPEN').toBeLessThan(4500); // its timer is late on a busy machine
        }
      },
      recovery: () => untilWell('yolo26'),
    });
  });

  scenario('slow-recovery-logged-for-monitoring', async (prove) => {
    await untilWell('yolo26');
    const since = Date.now();
    const slowRecoveries = () =>
      logSince(system, since).filter(
        ({ msg, breaker }) =>
          msg === 'recovery took longer than twice the recovery time-out' && breaker === 'yolo26',
      );
    await prove({
      faults: await hangDetector(),
      behaviour: async () => {
        await until('it has been open for twice its time-out', SEEN_MS, () => {
          const [openedAt = Number.POSITIVE_INFINITY] = breakerMoves('yolo26', 'CLOSED → OPEN', since);
          return Date.now() - openedAt > 3000;
        });
        expect(slowRecoveries()).toEqual([]);
      },
      recovery: async () => {
        await untilWell('yolo26');
        const record = await until('it is logged', SEEN_MS, () => slowRecoveries().at(0));
        expect(record).toMatchObject({ level: WARN, breaker: 'yolo26' });
        const [openedAt = 0] = breakerMoves('yolo26', 'CLOSED → OPEN', since);
        const [closedAt = 0] = breakerMoves('yolo26', 'HALF_OPEN → CLOSED', since);
        expect(Math.abs(Number(record['recoveryMs']) - (closedAt - openedAt)), 'ms apart').toBeLessThan(1000);
      },
    });
  });
});

/** The product's way to ask the model for an analysis, with a breaker and a budget of its own. */
function analyst({ breaker, budget }: { breaker: ReturnType<typeof makeBreaker>; budget: RetryBudget }) {
  const { logger } = keptLogger();
  const cache = createCache({
    redis: { ...system.wiring.proxied.redis, password: system.wiring.redisPassword },
    logger,
    profile: 'test',
  });
  const ending = new AbortController();
  onTestFinished(async () => {
    ending.abort();
    await cache.close();
  });
  const work = new AnalysisWork({
    db: databaseThrough(system),
    model: languageModelOf(system),
    breaker,
    tracker: new DependencyTracker({ clock: systemClock, activeFaults: () => [], recentMs: 0 }),
    cache,
    clock: systemClock,
    logger,
    retry: { attempts: 3, baseMs: 100 },
    budget,
    timeoutMs: () => 4000,
    signal: ending.signal,
    parkMs: 100,
    onEvent: () => {},
    onSettled: () => {},
    onTimedOut: () => {},
  });
  return () => work.ask('probe', [{ at: Date.now(), detections: [], degraded: false }], 'probe');
}

interface RawSocket {
  readonly localPort?: number;
  readonly bytesRead: number;
  pause(): void;
  resume(): void;
}

/** The TCP connection below a viewer. */
function rawSocketOf(viewer: Viewer): RawSocket {
  const { ws } = viewer.io.engine.transport as unknown as { ws: { _socket: RawSocket } };
  return ws._socket;
}

/** What both ends of a loopback connection hold for the client at `port`, unread. */
async function bytesInKernel(port: number): Promise<number> {
  const own = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  let bytes = 0;
  for (const [, local = '', remote = '', , queues = ''] of lines) {
    const [sending = '0', receiving = '0'] = queues.split(':');
    if (remote.endsWith(own)) bytes += Number.parseInt(sending, 16);
    if (local.endsWith(own)) bytes += Number.parseInt(receiving, 16);
  }
  return bytes;
}
