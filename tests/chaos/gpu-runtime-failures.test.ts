import { afterAll, beforeAll, describe, expect } from 'vitest';
import { systemClock } from '#lib/chaos/clock.ts';
import { retry } from '#lib/chaos/retry/retry.ts';
import type { GpuStatus } from '#lib/protocol/state.ts';
import { inferenceProfile, type ModelName } from '#server/inference/inference-profile.ts';
import { DependencyTracker } from '#server/pipeline/dependencies/dependency-tracker.ts';
import { BatchSize } from '#server/pipeline/work/batch-size.ts';
import { DetectionCalls } from '#server/pipeline/work/detection-calls.ts';
import { DetectorUnavailableError } from '#server/pipeline/work/detector.ts';
import { HttpStatusError, httpCall } from '#server/pipeline/work/http-call.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import {
  detectorOf,
  failureOf,
  makeBreaker,
  makeFrame,
  pipelineService,
  SEEN_MS,
  untilClosed,
  untilLogged,
  WARN,
} from './clients.ts';
import { calmScenariosOf } from './real-parts.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ env: { PROFILE: 'test' } });
});
afterAll(() => system?.close());

const scenario = calmScenariosOf('gpu-runtime-failures', () => system);

const framesOf = (count: number) => Array.from({ length: count }, (_, number) => makeFrame(number));
const detect = (count = 1, timeoutMs = 4000) => detectorOf(system).detect(framesOf(count), timeoutMs);

/** The answer with which the service refused a call. */
async function refusalOf(call: Promise<unknown>): Promise<HttpStatusError> {
  const error = await failureOf(call);
  expect(error).toBeInstanceOf(DetectorUnavailableError);
  expect(error.cause).toBeInstanceOf(HttpStatusError);
  return error.cause as HttpStatusError;
}

/** At full speed on the card. */
async function detectsAgain(): Promise<void> {
  await until('the detector works on the card at full speed', 30_000, async () => {
    const [outcome] = await detect();
    return outcome?.ok && outcome.result.inferenceTimeMs <= 41;
  });
}

async function gpu(): Promise<GpuStatus> {
  const { inference } = await system.state();
  if (!inference) throw new Error('nothing is heard of the card');
  return inference.gpu;
}

const untilGpu = (what: string, fits: (gpu: GpuStatus) => boolean) =>
  until(what, SEEN_MS, async () => {
    const status = await gpu();
    return fits(status) ? status : undefined;
  });

async function health(
  model: ModelName = 'yolo26',
): Promise<{ status: number; body: Record<string, unknown> }> {
  const call = { method: 'GET', path: '/health', connectMs: 2000, timeoutMs: 5000 } as const;
  const { status, body } = await httpCall({ ...system.wiring.proxied[model], ...call });
  return { status, body: JSON.parse(body) as Record<string, unknown> };
}

/** The pipeline's calls, with a breaker and a batch size of their own. */
function makeCalls() {
  const breaker = makeBreaker('yolo26');
  const batchSize = new BatchSize();
  const calls = new DetectionCalls({
    detector: detectorOf(system),
    breaker,
    tracker: new DependencyTracker({ clock: systemClock, activeFaults: () => [], recentMs: 0 }),
    batchSize,
    clock: systemClock,
    timeoutMs: () => 4000,
  });
  return { calls, breaker, batchSize };
}

/** Memory for two or three images is left, not for a batch. */
const NARROW = { params: { rateMibPerSecond: 50_000, targetFreeMib: 500 } };
const untilNarrow = () =>
  untilGpu(
    'memory is narrow',
    ({ memory: { tenantsMib, freeMib, cachedMib } }) => tenantsMib > 0 && freeMib + cachedMib < 900,
  );

/**
 * Calls with eight frames until they no longer fit at once: in halves most are detected all the same, and one that found
 * no room beside the frames of the cameras is when it is tried again.
 */
async function untilTooLarge({
  calls,
  batchSize,
}: Pick<ReturnType<typeof makeCalls>, 'calls' | 'batchSize'>) {
  await until('a batch was too large', SEEN_MS, async () => {
    const frames = framesOf(8);
    const verdicts = await calls.run(frames);
    expect(verdicts.map(({ kind }) => kind)).toContain('detected');
    for (const [index, frame] of frames.entries()) {
      const verdict = verdicts[index];
      if (verdict?.kind === 'detected') continue;
      expect(verdict).toMatchObject({
        kind: 'failed',
        error: { body: expect.stringContaining('OUT_OF_MEMORY') },
      });
      await until('there is room for one', SEEN_MS, async () => {
        const { kind } = await calls.runOne(frame);
        return kind === 'detected';
      });
    }
    return batchSize.current < 8;
  });
}

const loggedByInference = (since: number, fits: (record: Record<string, unknown>) => boolean) =>
  untilLogged(system, 'inference', since, fits);

describe('gpu runtime failures', () => {
  scenario('gpu-driver-crash-during-detection', async (prove) => {
    const fault = await system.startFault('gpu', 'driver_crash');
    const since = Date.now();
    const storedSince = () =>
      system.sql<{ degraded: boolean }>(
        'select d.degraded from detections d join uploads u using (upload_id) where u.accepted_at > $1',
        [new Date(since)],
      );
    await prove({
      faults: fault,
      behaviour: async () => {
        const refusal = await refusalOf(detect());
        expect(refusal).toMatchObject({ status: 503, faultId: fault.id });
        expect(refusal.body).toContain('GPU_LOST');
        await untilGpu('its Xid is shown', ({ xids }) => xids.at(-1)?.code === 79);
        await until('a job waits', SEEN_MS, async () => {
          const queue = (await system.state()).pipeline?.queues.find(({ name }) => name === 'detection');
          return queue?.paused && queue.depth + queue.parked > 0;
        });
        expect(await storedSince()).toEqual([]);
      },
      recovery: async () => {
        await detectsAgain();
        const rows = await until('what waited is detected', SEEN_MS, async () => {
          const stored = await storedSince();
          return stored.length > 0 ? stored : undefined;
        });
        expect(rows.some(({ degraded }) => degraded)).toBe(false);
      },
    });
  });

  scenario('repeated-gpu-failures-open-circuit-breaker', async (prove) => {
    const breaker = makeBreaker('yolo26');
    await prove({
      faults: await system.startFault('gpu', 'server_error'),
      behaviour: async () => {
        for (let failure = 0; failure < 3; failure++) {
          expect(breaker.state).toBe('CLOSED');
          expect((await refusalOf(breaker.execute(() => detect()))).body).toContain('CUDA_ERROR');
        }
        expect(breaker.changes).toMatchObject([{ to: 'OPEN', reason: 'failure_threshold', failures: 3 }]);
      },
      recovery: () => untilClosed(breaker, () => detect()),
    });
  });

  scenario('degradation-manager-marks-gpu-unhealthy', async (prove) => {
    await prove({
      faults: await system.startFault('gpu', 'driver_crash'),
      behaviour: async () => {
        const service = await until('the GPU is unhealthy', SEEN_MS, async () => {
          const told = await pipelineService(system, 'gpu');
          return told.healthy ? undefined : told;
        });
        expect(service).toMatchObject({
          error: 'The GPU is not available',
          critical: false,
          origin: 'injected',
        });
        await until('the mode is DEGRADED', SEEN_MS, async () => (await system.state()).mode === 'DEGRADED');
      },
      recovery: async () => {
        await until(
          'the GPU is healthy',
          SEEN_MS,
          async () => (await pipelineService(system, 'gpu')).healthy,
        );
        await until('the mode is NORMAL', SEEN_MS, async () => (await system.state()).mode === 'NORMAL');
      },
    });
  });

  scenario('cuda-out-of-memory-error-handling', async (prove) => {
    const { calls, breaker, batchSize } = makeCalls();
    await prove({
      faults: await system.startFault('gpu', 'vram_exhaustion', NARROW),
      behaviour: async () => {
        const before = (await untilNarrow()).outOfMemoryCount;
        await untilTooLarge({ calls, batchSize });
        expect(breaker.status(), 'a batch that is too large is no failure').toMatchObject({ failures: 0 });
        await untilGpu('it was counted', ({ outOfMemoryCount }) => outOfMemoryCount > before);
      },
      recovery: detectsAgain,
    });
  });

  scenario('vram-fragmentation-degrades-performance', async (prove) => {
    const fault = await system.startFault('gpu', 'vram_fragmentation', { params: { targetFreeMib: 100 } });
    const since = Date.now();
    await prove({
      faults: fault,
      behaviour: async () => {
        // What the models had kept for later is in pieces once it was given back.
        await until('a batch finds memory in pieces', SEEN_MS, async () => {
          const error = await detect(8).then(
            () => undefined,
            ({ cause }: { cause: HttpStatusError }) => cause,
          );
          if (error !== undefined) expect(error.body).toContain('OUT_OF_MEMORY');
          return error !== undefined && (await gpu()).memory.largestFreeMib < 180;
        });
        const record = await loggedByInference(since, ({ fragmented }) => fragmented === true);
        expect(record['level']).toBe(WARN);
        expect(record['msg']).toBe('out of GPU memory: caches are emptied');
        expect(Number(record['freeMib']) + Number(record['cachedMib'])).toBeGreaterThan(180);
      },
      recovery: detectsAgain,
    });
  });

  scenario('multiple-concurrent-inferences-exceed-vram', async (prove) => {
    await prove({
      faults: await system.startFault('gpu', 'vram_exhaustion', {
        params: { rateMibPerSecond: 50_000, targetFreeMib: 250 },
      }),
      behaviour: async () => {
        await untilGpu(
          'room for one image',
          ({ memory: { tenantsMib, freeMib, cachedMib } }) => tenantsMib > 0 && freeMib + cachedMib < 500,
        );
        const errors: unknown[] = [];
        const all = Promise.all(
          Array.from({ length: 8 }, () =>
            retry(() => detect(), {
              attempts: 30,
              baseMs: 50,
              capMs: 300,
              isRetryable: (error) => {
                errors.push(error);
                return true;
              },
            }),
          ),
        );
        await expect(all.then((outcomes) => outcomes.flat().map(({ ok }) => ok))).resolves.toEqual(
          Array(8).fill(true),
        );
        expect(errors.length, 'calls that found no room').toBeGreaterThan(0);
        for (const error of errors)
          expect(((error as Error).cause as HttpStatusError).body).toContain('OUT_OF_MEMORY');
      },
      recovery: detectsAgain,
    });
  });

  scenario('thermal-throttle-detected-via-slow-inference', async (prove) => {
    await prove({
      // Throttled at 84 °C, and never paused at 90: it reaches 87 °C.
      faults: await system.startFault('gpu', 'thermal_throttle', { params: { sinkFactor: 1.9 } }),
      behaviour: async () => {
        await until('inference is slower than at full clock', SEEN_MS, async () => {
          const [outcome] = await detect();
          return outcome?.ok && outcome.result.inferenceTimeMs > 42;
        });
        const { body } = await health();
        expect(body['status']).toBe('degraded');
        expect(Number(body['sm_clock_mhz'])).toBeLessThan(1800);
      },
      recovery: detectsAgain,
    });
  });

  scenario('thermal-throttle-triggers-inference-pause', async (prove) => {
    const fault = await system.startFault('gpu', 'thermal_throttle', {
      params: { sinkFactor: 8, inletDeltaK: 15 },
    });
    const since = Date.now();
    await prove({
      faults: fault,
      behaviour: async () => {
        const refusal = await until('inference is paused', SEEN_MS, async () => {
          const error = await detect().then(
            () => undefined,
            (reason: Error) => reason.cause,
          );
          return error instanceof HttpStatusError && error.body.includes('THERMAL_PAUSE') ? error : undefined;
        });
        expect(refusal).toMatchObject({ status: 503, retryAfterMs: 1000, faultId: fault.id });
        expect(inferenceProfile('production').pauseRetryAfterMs).toBe(60_000);
        const record = await loggedByInference(since, ({ msg }) => msg === 'inference paused by heat');
        expect(record['celsius']).toBeGreaterThanOrEqual(88);
      },
      recovery: async () => {
        await loggedByInference(since, ({ msg }) => msg === 'inference resumed');
        await detectsAgain();
      },
    });
  });

  scenario('cuda-context-corrupted-triggers-restart', async (prove) => {
    const { restarts } = await gpu();
    const fault = await system.startFault('gpu', 'context_corruption');
    const since = Date.now();
    await prove({
      faults: fault,
      behaviour: async () => {
        // A call of the pipeline may have spoilt it before, and ours may meet its restart.
        await until('a call meets the spoilt context', SEEN_MS, async () => {
          expect((await refusalOf(detect())).body).toContain('an illegal memory access was encountered');
          return true;
        });
        await untilGpu('the service has restarted', (status) => status.restarts > restarts);
        const record = await loggedByInference(since, ({ msg }) => msg === 'restarting');
        expect(record).toMatchObject({ level: WARN, restarts: expect.any(Number) });
      },
      recovery: detectsAgain,
    });
  });

  scenario('cuda-initialization-failure-on-startup', async (prove) => {
    const since = Date.now();
    const full = await system.startFault('gpu', 'vram_exhaustion', {
      params: { rateMibPerSecond: 100_000, targetFreeMib: 0 },
    });
    await untilGpu('memory is full', ({ memory }) => memory.freeMib < 180);
    // What the model keeps for later serves small batches until it is given back and taken as well.
    await until('a batch finds no room', SEEN_MS, async () => {
      expect((await refusalOf(detect(8))).body).toContain('OUT_OF_MEMORY');
      return true;
    });
    const spoilt = await system.startFault('gpu', 'context_corruption');
    await prove({
      faults: [spoilt, full],
      behaviour: async () => {
        await failureOf(detect());
        // The restart gives its memory back, which is gone when it wants it again.
        const record = await loggedByInference(since, ({ msg }) => msg === 'could not load');
        expect(record).toMatchObject({ err: { message: expect.stringContaining('out of memory') } });
        const { status, body } = await health(record['model'] as ModelName);
        expect({ status, said: body['status'] }).toEqual({ status: 503, said: 'unhealthy' });
      },
      recovery: detectsAgain,
    });
  });

  scenario('model-file-corrupted-on-load', async (prove) => {
    const since = Date.now();
    const fault = await system.startFault('gpu', 'model_corrupted');
    await prove({
      faults: fault,
      behaviour: async () => {
        const refusal = await refusalOf(detect());
        expect(refusal).toMatchObject({ status: 503, faultId: fault.id });
        expect(refusal.body).toContain('MODEL_CORRUPTED');
        const record = await loggedByInference(since, ({ msg }) => msg === 'could not load');
        expect(record).toMatchObject({ model: 'yolo26', err: { code: 'MODEL_CORRUPTED' } });
      },
      recovery: async () => {
        await loggedByInference(since, ({ msg }) => String(msg).includes('the model file was fetched again'));
        await detectsAgain();
      },
    });
  });

  scenario('model-version-mismatch-error', async (prove) => {
    const since = Date.now();
    const fault = await system.startFault('gpu', 'model_version_mismatch', { params: { version: '2024.9' } });
    await prove({
      faults: fault,
      behaviour: async () => {
        const both = 'expected version yolo26m-2026.1, found yolo26-2024.9';
        expect((await refusalOf(detect())).body).toContain(both);
        const record = await loggedByInference(since, ({ msg }) => msg === 'could not load');
        expect(record).toMatchObject({
          model: 'yolo26',
          err: { code: 'MODEL_VERSION_MISMATCH', message: expect.stringContaining(both) },
        });
      },
      recovery: detectsAgain,
    });
  });

  scenario('inference-timeout-retries-with-backoff', async (prove) => {
    await prove({
      faults: await system.startFault('gpu', 'inference_timeout', {
        params: { deadlineMs: 100 },
        failFirst: 6, // the pipeline takes some: its breaker opens before it has taken all
      }),
      behaviour: async () => {
        const waits: number[] = [];
        const outcomes = await retry(() => detect(), {
          attempts: 8,
          baseMs: 20,
          random: () => 0,
          onRetry: ({ delayMs, error }) => {
            expect((error as Error).cause).toMatchObject({ status: 504 });
            waits.push(delayMs);
          },
        });
        expect(outcomes[0]?.ok).toBe(true);
        expect(waits.length).toBeGreaterThan(0);
        expect(waits).toEqual(waits.map((_, index) => 20 * 2 ** index));
      },
      recovery: detectsAgain,
    });
  });

  scenario('consecutive-timeouts-open-circuit-breaker', async (prove) => {
    const breaker = makeBreaker('yolo26');
    await prove({
      faults: await system.startFault('gpu', 'inference_timeout', { params: { deadlineMs: 2000 } }),
      behaviour: async () => {
        for (let failure = 0; failure < 3; failure++) {
          expect(breaker.state).toBe('CLOSED');
          expect(await failureOf(breaker.execute(() => detect(1, 200)))).toMatchObject({ reason: 'timeout' });
        }
        expect(breaker.state).toBe('OPEN');
      },
      recovery: () => untilClosed(breaker, () => detect()),
    });
  });

  for (const [name, type, cardIsThere] of [
    ['no-gpu-available-falls-back-to-cpu', 'no_gpu', false],
    ['gpu-device-index-out-of-range', 'device_index', true],
  ] as const) {
    scenario(name, async (prove) => {
      await prove({
        faults: await system.startFault('gpu', type),
        behaviour: async () => {
          const onCpu = { ok: true, result: { inferenceTimeMs: 480 } }; // 12 × 40
          await expect(detect()).resolves.toMatchObject([onCpu]);
          const { status, body } = await health();
          expect(status).toBe(200);
          expect(body).toMatchObject({ status: 'degraded', device: 'cpu', gpu: { available: cardIsThere } });
        },
        recovery: async () => {
          await detectsAgain();
          expect((await health()).body['device']).toBe('cuda');
        },
      });
    });
  }

  scenario('partial-batch-failure-processes-successful-items', async (prove) => {
    await prove({
      faults: await system.startFault('yolo26', 'partial_batch', { params: { items: 1 } }),
      behaviour: async () => {
        const outcomes = await detect(3);
        expect(outcomes.filter(({ ok }) => ok)).toHaveLength(2);
        expect(outcomes.find(({ ok }) => !ok)).toMatchObject({ status: 500, code: 'INJECTED' });
        // The stage tries the bad one alone, so that none is left.
        const verdicts = await makeCalls().calls.run(framesOf(3));
        expect(verdicts.map(({ kind }) => kind)).toEqual(['detected', 'detected', 'detected']);
      },
      recovery: async () => {
        expect((await detect(3)).every(({ ok }) => ok)).toBe(true);
      },
    });
  });

  scenario('batch-size-reduced-after-oom-errors', async (prove) => {
    const { calls, batchSize } = makeCalls();
    await prove({
      faults: await system.startFault('gpu', 'vram_exhaustion', NARROW),
      behaviour: async () => {
        expect(batchSize.current).toBe(8);
        await untilNarrow();
        await untilTooLarge({ calls, batchSize });
        expect([4, 2, 1]).toContain(batchSize.current);
        await untilGpu('the service takes less at once', ({ maxBatchSize }) => maxBatchSize < 8);
      },
      recovery: async () => {
        await detectsAgain();
        const reduced = batchSize.current;
        for (let good = 0; good < 20; good++) await calls.run(framesOf(1));
        expect(batchSize.current).toBe(reduced * 2);
      },
    });
  });
});
