import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { BreakerOpenError } from '#lib/chaos/breaker/breaker-open-error.ts';
import { retry } from '#lib/chaos/retry/retry.ts';
import type { DlqPage } from '#lib/protocol/dead-letters.ts';
import { DetectorUnavailableError, type Frame } from '#server/pipeline/work/detector.ts';
import { checkHttp } from '#server/pipeline/work/health-checks.ts';
import { HttpStatusError, HttpTimeoutError } from '#server/pipeline/work/http-call.ts';
import { yolo26ConnectionError, yolo26ServerError, yolo26Timeout } from '#tests/support/fault-presets.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import {
  detectorOf,
  failureOf,
  makeBreaker,
  makeFrame,
  makePair,
  pipelineBreaker,
  pipelineService,
  SEEN_MS,
  untilClosed,
  untilFact,
  untilLogged,
  untilPipelineClosed,
  untilState,
  WARN,
} from './clients.ts';
import { calmScenariosOf } from './real-parts.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ env: { PROFILE: 'test' } });
});
afterAll(() => system?.close());

const scenario = calmScenariosOf('yolo26-failures', () => system);

const detect = (frames: Frame[] = [makeFrame()], timeoutMs = 3000) =>
  detectorOf(system).detect(frames, timeoutMs);

const detectsAgain = (frames?: Frame[]) =>
  until('the detector answers', SEEN_MS, async () => {
    const outcomes = await detect(frames);
    return outcomes.every(({ ok }) => ok) || undefined;
  });

/** Aims a fault at batches: the pipeline's single frames pass, and it goes on as if nothing were. */
const ON_BATCHES = { match: { route: '/detect/batch' } };

interface Row {
  upload_id: string;
  degraded: boolean;
  owed: boolean;
  detections: unknown[];
}

/** Frames accepted after `since` that have a detection row. */
const rowsSince = (since: number) =>
  system.sql<Row>(
    `select d.upload_id, d.degraded, d.owed, d.detections from detections d join uploads u using (upload_id)
     where u.accepted_at > $1`,
    [new Date(since)],
  );

describe('yolo26 failures', () => {
  scenario('timeout-raises-unavailable-error', async (prove) => {
    const fault = await yolo26Timeout(system);
    const since = Date.now();
    await prove({
      faults: fault,
      behaviour: async () => {
        const error = await failureOf(detect([makeFrame()], 300));
        expect(error).toBeInstanceOf(DetectorUnavailableError);
        expect(error).toMatchObject({ reason: 'timeout', code: 'DEADLINE_EXCEEDED' });
        expect(error.cause).toBeInstanceOf(HttpTimeoutError);
        // The stage stores the frame without detections, marked, and says so.
        const row = await until('a frame is stored without detections', SEEN_MS, async () =>
          (await rowsSince(since)).find(({ degraded }) => degraded),
        );
        expect(row).toMatchObject({ detections: [], owed: true });
        const record = await untilLogged(
          system,
          'pipeline',
          since,
          ({ uploadId, stage }) => uploadId === row.upload_id && stage === 'detection',
        );
        expect(record['level']).toBe(WARN);
        expect(record['err']).toContain('did not answer within 1000 ms');
        expect(record['traceId']).toEqual(expect.any(String));
      },
      recovery: async () => {
        await detectsAgain();
      },
    });
  });

  scenario('timeout-circuit-breaker-opens-after-threshold', async (prove) => {
    await untilPipelineClosed(system, 'yolo26');
    const { seq } = await system.state();
    const breaker = makeBreaker('yolo26');
    const call = () => breaker.execute(() => detect(undefined, 150));
    await prove({
      faults: await yolo26Timeout(system),
      behaviour: async () => {
        await failureOf(call());
        await failureOf(call());
        expect(breaker.state).toBe('CLOSED');
        expect(await failureOf(call())).toBeInstanceOf(DetectorUnavailableError);
        expect(breaker.changes).toMatchObject([{ to: 'OPEN', reason: 'failure_threshold', failures: 3 }]);
        const opened = await untilFact(
          system,
          seq,
          'breakerChanged',
          ({ breaker: name, from, to }) => name === 'yolo26' && from === 'CLOSED' && to === 'OPEN',
        );
        expect(opened).toMatchObject({ failures: 3, reason: 'failure_threshold', origin: 'injected' });
      },
      recovery: () => untilClosed(breaker, () => detect()),
    });
  });

  scenario('open-circuit-rejects-calls-immediately', async (prove) => {
    const breaker = makeBreaker('yolo26', { recoveryTimeoutMs: 5000 });
    let calls = 0;
    const call = () =>
      breaker.execute(() => {
        calls++;
        return detect(makePair());
      });
    await prove({
      faults: await system.startFault('yolo26', 'server_error', ON_BATCHES),
      behaviour: async () => {
        for (let failure = 0; failure < 3; failure++) await failureOf(call());
        expect({ state: breaker.state, calls }).toEqual({ state: 'OPEN', calls: 3 });
        const rejections = await Promise.all(Array.from({ length: 50 }, () => failureOf(call())));
        for (const rejection of rejections) {
          expect(rejection).toBeInstanceOf(BreakerOpenError);
          expect(rejection['retryAfterMs']).toBeGreaterThan(0);
        }
        expect(calls, 'calls of the operation').toBe(3);
        expect(breaker.status().calls).toMatchObject({ failed: 3, rejected: 50 });
      },
      recovery: async () => {
        breaker.reset();
        expect((await call()).map(({ ok }) => ok)).toEqual([true, true]);
        expect(calls).toBe(4);
      },
    });
  });

  scenario('connection-error-raises-unavailable-error', async (prove) => {
    const fault = await yolo26ConnectionError(system);
    const since = Date.now();
    const { port } = system.wiring.proxied.yolo26;
    let refused = 0;
    await prove({
      faults: fault,
      behaviour: async () => {
        const error = await failureOf(detect());
        expect(error).toBeInstanceOf(DetectorUnavailableError);
        expect(error).toMatchObject({ reason: 'unreachable', code: 'ECONNREFUSED', cause: { port } });
        refused++;
        // Nothing is made up meanwhile: the job waits.
        await until('a job waits', SEEN_MS, async () => {
          const queue = (await system.state()).pipeline?.queues.find(({ name }) => name === 'detection');
          return queue?.paused && queue.depth + queue.parked > 0;
        });
        expect(await rowsSince(since)).toEqual([]);
      },
      hitsOfClient: () => refused,
      recovery: async () => {
        await detectsAgain();
        const rows = await until('what waited is detected', SEEN_MS, async () => {
          const stored = await rowsSince(since);
          return stored.length > 0 ? stored : undefined;
        });
        expect(rows.filter(({ degraded }) => degraded)).toEqual([]);
      },
    });
  });

  scenario('health-check-returns-false-on-connection-error', async (prove) => {
    let refused = 0;
    await prove({
      faults: await yolo26ConnectionError(system),
      behaviour: async () => {
        expect(await failureOf(checkHttp(system.wiring.proxied.yolo26, 500))).toMatchObject({
          code: 'ECONNREFUSED',
        });
        refused++;
        const service = await until('yolo26 is unhealthy', SEEN_MS, async () => {
          const told = await pipelineService(system, 'yolo26');
          return told.healthy ? undefined : told;
        });
        expect(service.error).toContain('ECONNREFUSED');
        expect(service).toMatchObject({ origin: 'injected', critical: false });
      },
      hitsOfClient: () => refused,
      recovery: async () => {
        await until('the check passes', SEEN_MS, () => checkHttp(system.wiring.proxied.yolo26, 500));
        const service = await until('yolo26 is healthy', SEEN_MS, async () => {
          const told = await pipelineService(system, 'yolo26');
          return told.healthy ? told : undefined;
        });
        expect(service).toMatchObject({ error: null, consecutiveFailures: 0 });
      },
    });
  });

  scenario('5xx-error-raises-unavailable-error', async (prove) => {
    await untilPipelineClosed(system, 'yolo26'); // what the scenarios before it left is not told again
    const fault = await yolo26ServerError(system);
    const since = Date.now();
    await prove({
      faults: fault,
      behaviour: async () => {
        const error = await failureOf(detect());
        expect(error).toBeInstanceOf(DetectorUnavailableError);
        expect(error).toMatchObject({ reason: 'server_error', code: 'HTTP_STATUS' });
        const breaker = await until('its breaker is open and says why', SEEN_MS, async () => {
          const told = await pipelineBreaker(system, 'yolo26');
          return told.state === 'OPEN' ? told : undefined;
        });
        expect(breaker.lastError).toContain('answered 500');
        expect(await rowsSince(since), 'rows of frames that were not detected').toEqual([]);
      },
      recovery: async () => {
        await detectsAgain();
      },
    });
  });

  scenario('4xx-error-returns-empty-list', async (prove) => {
    await untilPipelineClosed(system, 'yolo26'); // a refusal would not close it
    const fault = await system.startFault('yolo26', 'server_error', {
      params: { status: 400 },
      match: { route: '/detect' },
    });
    const letters = async () =>
      (await system.api<DlqPage>('GET', `/dlq?queue=detection&faultId=${fault.id}`)).body.items;
    const breaker = makeBreaker('yolo26');
    await prove({
      faults: fault,
      behaviour: async () => {
        let attempts = 0;
        const error = await failureOf(
          retry(
            () => {
              attempts++;
              return breaker.execute(() => detect());
            },
            { baseMs: 10 },
          ),
        );
        expect(error).toBeInstanceOf(HttpStatusError);
        expect({ status: error['status'], attempts }).toEqual({ status: 400, attempts: 1 });
        expect(breaker.status()).toMatchObject({ state: 'CLOSED', failures: 0 });
        // No detections are invented for a frame that the detector refuses: it is put aside after one attempt.
        const [letter] = await until('a refused frame is a dead letter', SEEN_MS, async () => {
          const found = await letters();
          return found.length > 0 ? found : undefined;
        });
        expect(letter).toMatchObject({ attempts: 1, error: { status: 400 }, payload: { retryable: false } });
        expect(letter?.error.body).toContain(fault.id);
        expect(await system.sql('select 1 from uploads where upload_id = $1', [letter?.uploadId])).toEqual(
          [],
        );
        expect((await pipelineBreaker(system, 'yolo26')).state).toBe('CLOSED');
      },
      recovery: async () => {
        const given = await letters();
        await system.api('POST', '/dlq/redrive', { faultId: fault.id });
        await until('every refused frame is detected and stored', SEEN_MS, async () => {
          const rows = await system.sql('select 1 from detections where upload_id = any($1)', [
            given.map(({ uploadId }) => uploadId),
          ]);
          return rows.length === given.length;
        });
      },
    });
  });

  scenario('circuit-breaker-transitions-through-states', async (prove) => {
    await untilPipelineClosed(system, 'yolo26');
    const { seq } = await system.state();
    const breaker = makeBreaker('yolo26');
    const changesOfPipeline = async () =>
      (await system.facts(seq)).flatMap((fact) =>
        fact.type === 'breakerChanged' && fact.subject === 'yolo26' ? [fact.data] : [],
      );
    await prove({
      faults: await yolo26ServerError(system),
      behaviour: async () => {
        for (let failure = 0; failure < 3; failure++) await failureOf(breaker.execute(() => detect()));
        expect(breaker.path).toEqual(['CLOSED', 'OPEN']);
        await until(
          'the pipeline has opened its own',
          SEEN_MS,
          async () => (await changesOfPipeline()).length > 0,
        );
      },
      recovery: async () => {
        await untilState(breaker, 'HALF_OPEN');
        await breaker.execute(() => detect());
        expect(breaker.status()).toMatchObject({ state: 'HALF_OPEN', successes: 1 });
        await breaker.execute(() => detect());
        expect(breaker.path).toEqual(['CLOSED', 'OPEN', 'HALF_OPEN', 'CLOSED']);
        expect(breaker.changes.map(({ reason }) => reason)).toEqual([
          'failure_threshold',
          'recovery_timeout',
          'success_threshold',
        ]);
        const changes = await until('the pipeline has closed its own', SEEN_MS, async () => {
          const all = await changesOfPipeline();
          return all.at(-1)?.to === 'CLOSED' ? all : undefined;
        });
        expect(changes.at(0)).toMatchObject({ from: 'CLOSED', to: 'OPEN' });
        expect(changes.at(-1)).toMatchObject({ from: 'HALF_OPEN', reason: 'success_threshold' });
      },
    });
  });

  scenario('half-open-failure-reopens-circuit', async (prove) => {
    const breaker = makeBreaker('yolo26');
    const call = () => breaker.execute(() => detect(makePair()));
    await prove({
      faults: await system.startFault('yolo26', 'server_error', ON_BATCHES),
      behaviour: async () => {
        for (let failure = 0; failure < 3; failure++) await failureOf(call());
        await untilState(breaker, 'HALF_OPEN');
        expect(await failureOf(call())).toBeInstanceOf(DetectorUnavailableError);
        expect(breaker.path).toEqual(['CLOSED', 'OPEN', 'HALF_OPEN', 'OPEN']);
        expect(breaker.changes.at(-1)).toMatchObject({ reason: 'trial_failed' });
        expect(breaker.status().retryAfterMs, 'the wait begins anew').toBeGreaterThan(150);
        expect(await failureOf(call())).toBeInstanceOf(BreakerOpenError);
      },
      recovery: () => untilClosed(breaker, () => detect(makePair())),
    });
  });

  scenario('detector-client-handles-file-not-found', async (prove) => {
    const fault = await yolo26Timeout(system);
    const since = Date.now();
    let uploadIds: string[] = [];
    await prove({
      faults: fault,
      behaviour: async () => {
        // Two: the pipeline may have read one of them already, for the detection that it tries meanwhile.
        uploadIds = await until('two frames owe their detections', SEEN_MS, async () => {
          const owed = (await rowsSince(since)).filter((row) => row.owed && row.degraded);
          return owed.length < 2 ? undefined : owed.map((row) => row.upload_id);
        });
        const media = join(system.dataDir, 'media');
        for (const uploadId of uploadIds) {
          // It is moved there after its row.
          await until('its file is in the media store', SEEN_MS, () => {
            const files = readdirSync(media, { recursive: true, encoding: 'utf8' });
            const file = files.find((path) => path.includes(uploadId));
            if (file === undefined) return undefined;
            rmSync(join(media, file));
            return true;
          });
        }
      },
      recovery: async () => {
        const record = await untilLogged(
          system,
          'pipeline',
          since,
          (each) =>
            uploadIds.includes(String(each['uploadId'])) && String(each['msg']).includes('the file is gone'),
        );
        expect(record['level']).toBe(WARN);
        const rows = await until('they owe nothing more', SEEN_MS, async () => {
          const settled = (await rowsSince(since)).filter(
            (row) => uploadIds.includes(row.upload_id) && !row.owed,
          );
          return settled.length === uploadIds.length ? settled : undefined;
        });
        const given = rows.find((row) => row.upload_id === record['uploadId']);
        expect(given).toMatchObject({ detections: [], degraded: true });
        await detectsAgain();
      },
    });
  });

  scenario('detector-preserves-original-error-info', async (prove) => {
    const fault = await system.startFault('yolo26', 'server_error', {
      params: { status: 503 },
      ...ON_BATCHES,
    });
    await prove({
      faults: fault,
      behaviour: async () => {
        const refused = await failureOf(detect(makePair()));
        expect(refused).toBeInstanceOf(DetectorUnavailableError);
        expect(refused.cause).toBeInstanceOf(HttpStatusError);
        expect(refused.cause).toMatchObject({ status: 503, faultId: fault.id });
        expect((refused.cause as HttpStatusError).body).toContain(fault.id);
        expect(refused.message).toContain('answered 503');
      },
      recovery: async () => {
        await detectsAgain(makePair());
      },
    });
  });

  scenario('circuit-breaker-allows-recovery-calls', async (prove) => {
    const breaker = makeBreaker('yolo26');
    let calls = 0;
    const call = () =>
      breaker.execute(() => {
        calls++;
        return detect(makePair());
      });
    await prove({
      faults: await system.startFault('yolo26', 'server_error', ON_BATCHES),
      behaviour: async () => {
        for (let failure = 0; failure < 3; failure++) await failureOf(call());
        expect(await failureOf(call())).toBeInstanceOf(BreakerOpenError);
        expect(calls).toBe(3);
        await untilState(breaker, 'HALF_OPEN');
        expect(breaker.changes.at(-1)?.spentMs).toBeGreaterThanOrEqual(990);
        expect(await failureOf(call())).toBeInstanceOf(DetectorUnavailableError);
        expect(calls, 'one call was let through').toBe(4);
      },
      recovery: async () => {
        await untilState(breaker, 'HALF_OPEN');
        expect((await call()).length).toBe(2);
        expect(calls).toBe(5);
        await untilClosed(breaker, () => detect(makePair()));
      },
    });
  });

  scenario('successful-recovery-resets-failure-count', async (prove) => {
    const breaker = makeBreaker('yolo26');
    const call = () => breaker.execute(() => detect(makePair()));
    const failTwice = async () => {
      await failureOf(call());
      await failureOf(call());
      expect(breaker.status()).toMatchObject({ state: 'CLOSED', failures: 2 });
    };
    await prove({
      faults: await system.startFault('yolo26', 'server_error', ON_BATCHES),
      behaviour: failTwice,
      recovery: async () => {
        await call();
        expect(breaker.status().failures).toBe(0);
        // Had the count not been zeroed, the first of these would open it.
        const again = await system.startFault('yolo26', 'server_error', ON_BATCHES);
        await failTwice();
        await system.stopFault(again.id);
        await call();
        expect(breaker.path).toEqual(['CLOSED']);
      },
    });
  });
});
