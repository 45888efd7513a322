import { afterAll, beforeAll, describe, expect } from 'vitest';
import { retry } from '#lib/chaos/retry/retry.ts';
import { dependencyAddresses } from '#server/dependency-addresses.ts';
import { Detector, DetectorUnavailableError } from '#server/pipeline/work/detector.ts';
import { checkHttp } from '#server/pipeline/work/health-checks.ts';
import { closeHttpConnections, HttpTimeoutError } from '#server/pipeline/work/http-call.ts';
import {
  databaseIntermittent,
  highLatency,
  packetLoss,
  redisIntermittent,
  yolo26Intermittent,
} from '#tests/support/fault-presets.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import {
  detectorOf,
  failureOf,
  languageModelOf,
  makeBreaker,
  makeFrame,
  openByFailing,
  pipelineService,
  SEEN_MS,
  untilClosed,
  untilPipelineClosed,
  untilState,
} from './clients.ts';
import { calmScenariosOf, databaseThrough, redisThrough } from './real-parts.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ env: { PROFILE: 'test' } });
});
afterAll(() => system?.close());

const scenario = calmScenariosOf('network-conditions', () => system);

const onNetwork = (type: string, service: 'yolo26' | 'nemotron', params = {}, more = {}) =>
  system.startFault('network', type, { params: { ...params, services: [service] }, ...more });

const detect = (timeoutMs = 3000) => detectorOf(system).detect([makeFrame()], timeoutMs);
const ask = (timeoutMs = 4000) => languageModelOf(system).analyse('Camera: probe', timeoutMs, 'probe');
const check = (timeoutMs = 5000) => checkHttp(system.wiring.proxied.nemotron, timeoutMs);

/** By name, as the pipeline's own clients connect. */
const namedDetector = (connectMs: number) =>
  new Detector({ ...dependencyAddresses(system.wiring).yolo26, connectMs });

/** Tries in vain; gives the waits that retry announced and those that passed, ms. */
async function waitsOf(options: { attempts: number; baseMs: number; capMs: number }) {
  const announced: number[] = [];
  const at: number[] = [];
  const error = await failureOf(
    retry(
      () => {
        at.push(performance.now());
        return check();
      },
      { ...options, random: () => 0, onRetry: ({ delayMs }) => announced.push(delayMs) },
    ),
  );
  expect(error['code']).toBe('ECONNREFUSED');
  const passed = at.slice(1).map((time, index) => time - (at[index] ?? 0));
  return { announced, passed };
}

describe('network conditions', () => {
  scenario('circuit-breaker-handles-slow-responses', async (prove) => {
    await untilPipelineClosed(system, 'yolo26');
    const breaker = makeBreaker('yolo26');
    const timed = async () => {
      const startedMs = performance.now();
      await breaker.execute(() => detect());
      return performance.now() - startedMs;
    };
    const isLate = (tookMs: number) => tookMs >= 495;
    await prove({
      faults: await highLatency(system),
      behaviour: async () => {
        const calls = await Promise.allSettled(Array.from({ length: 6 }, timed));
        expect(calls.filter(({ status }) => status === 'rejected')).toEqual([]);
        for (const call of calls) expect(call).toMatchObject({ value: expect.toSatisfy(isLate) });
        expect(breaker.status()).toMatchObject({ state: 'CLOSED', failures: 0, calls: { succeeded: 6 } });
        await untilPipelineClosed(system, 'yolo26');
      },
      recovery: async () => {
        await until('a call is in time again', SEEN_MS, async () => !isLate(await timed()));
      },
    });
  });

  scenario('high-latency-with-timeout-triggers-failure', async (prove) => {
    const breaker = makeBreaker('nemotron');
    await prove({
      faults: await onNetwork('latency', 'nemotron', { latencyMs: 2000 }),
      behaviour: async () => {
        for (const failure of await openByFailing(breaker, () => ask(150)))
          expect(failure).toBeInstanceOf(HttpTimeoutError);
      },
      recovery: () => untilClosed(breaker, () => ask()),
    });
  });

  scenario('intermittent-failures-with-retry-succeeds', async (prove) => {
    let retries = 0;
    const onNewConnection = () => {
      closeHttpConnections(); // a loss on a kept one is replaced once by the client itself
      return check();
    };
    await prove({
      faults: await packetLoss(system),
      behaviour: async () => {
        for (let call = 0; call < 60 || retries === 0; call++) {
          const answer = retry(onNewConnection, { attempts: 10, baseMs: 2, onRetry: () => retries++ });
          await expect(answer).resolves.toMatchObject({ status: 200 });
        }
        expect(retries, 'losses that only a retry got over').toBeGreaterThan(0);
      },
      recovery: async () => {
        expect((await check()).status).toBe(200);
      },
    });
  });

  scenario('sustained-packet-loss-opens-circuit', async (prove) => {
    const breaker = makeBreaker('nemotron');
    await prove({
      faults: await onNetwork('packet_loss', 'nemotron', {}, { ratio: 1 }),
      behaviour: async () => {
        for (const failure of await openByFailing(breaker, () => ask()))
          expect(failure).toMatchObject({ code: 'ECONNRESET' });
        const service = await until('nemotron is unhealthy', SEEN_MS, async () => {
          const told = await pipelineService(system, 'nemotron');
          return told.healthy ? undefined : told;
        });
        expect(service.origin).toBe('injected');
      },
      recovery: () => untilClosed(breaker, () => ask()),
    });
  });

  scenario('random-failures-tracked-correctly', async (prove) => {
    const redis = await redisThrough(system, { profile: 'production' });
    const database = databaseThrough(system);
    const calls = {
      yolo26: () => checkHttp(system.wiring.proxied.yolo26, 5000),
      redis: () => redis.getrange('scenario:none', 0, -1),
      database: () => database.query('SELECT 2'),
    };
    const breakers = (['yolo26', 'redis', 'database'] as const).map((name) => {
      const breaker = makeBreaker(name, { failureThreshold: 20 });
      return { breaker, execute: () => breaker.execute<unknown>(calls[name]) };
    });
    await prove({
      faults: [
        await yolo26Intermittent(system),
        await redisIntermittent(system),
        await databaseIntermittent(system),
      ],
      behaviour: async () => {
        // More failures than the threshold, never as many in a row: at most (0.5)^20.
        for (const { breaker, execute } of breakers) {
          while (breaker.status().calls.failed < 24) await execute().catch(() => {});
          const { name, state, transitions, calls } = breaker.status();
          expect({ state, transitions }, name).toEqual({ state: 'CLOSED', transitions: 0 });
          expect(calls.succeeded, name).toBeGreaterThan(0);
          expect(calls.injected, `${name}: each by the mark of its fault`).toBe(24);
        }
      },
      recovery: async () => {
        for (const { breaker, execute } of breakers) {
          await execute();
          expect(breaker.status().failures).toBe(0);
        }
      },
    });
  });

  scenario('dns-failure-handled-as-connection-error', async (prove) => {
    closeHttpConnections(); // what is connected goes on
    const breaker = makeBreaker('yolo26');
    await prove({
      faults: await onNetwork('dns_failure', 'yolo26'),
      behaviour: async () => {
        // Time for the name server's refusal, which must come before connecting is given up.
        for (const failure of await openByFailing(breaker, () =>
          namedDetector(2000).detect([makeFrame()], 3000),
        )) {
          expect(failure).toBeInstanceOf(DetectorUnavailableError);
          expect(failure).toMatchObject({ reason: 'unreachable', code: 'EAI_AGAIN' });
        }
      },
      recovery: () => untilClosed(breaker, () => namedDetector(500).detect([makeFrame()], 1000)),
    });
  });

  scenario('partial-partition-affects-some-services', async (prove) => {
    const cut = makeBreaker('nemotron');
    const whole = makeBreaker('yolo26');
    await prove({
      faults: await onNetwork('partition', 'nemotron'),
      behaviour: async () => {
        await openByFailing(cut, () => ask(150));
        for (let call = 0; call < 3; call++)
          await expect(whole.execute(() => detect())).resolves.toBeDefined();
        expect({ cut: cut.path.slice(0, 2), whole: whole.path }).toEqual({
          cut: ['CLOSED', 'OPEN'],
          whole: ['CLOSED'],
        });
        await until('the pipeline tells them apart', SEEN_MS, async () => {
          const { pipeline } = await system.state();
          const down = pipeline?.services.filter(({ healthy }) => !healthy).map(({ name }) => name);
          return down?.length === 1 && down[0] === 'nemotron';
        });
      },
      recovery: () => untilClosed(cut, () => ask()),
    });
  });

  scenario('exponential-backoff-delays-increase', async (prove) => {
    let refused = 0;
    await prove({
      faults: await onNetwork('connection_error', 'nemotron'),
      behaviour: async () => {
        const { announced, passed } = await waitsOf({ attempts: 5, baseMs: 40, capMs: 10_000 });
        expect(announced).toEqual([40, 80, 160, 320]);
        for (const [index, delayMs] of announced.entries())
          expect(passed[index], `wait ${index + 1}`).toBeGreaterThanOrEqual(delayMs - 2);
        refused = announced.length + 1;
      },
      hitsOfClient: () => refused,
      recovery: async () => {
        const answer = await retry(() => check(), { attempts: 8, baseMs: 40, capMs: 200 });
        expect(answer.status).toBe(200);
      },
    });
  });

  scenario('backoff-respects-max-delay', async (prove) => {
    let refused = 0;
    await prove({
      faults: await onNetwork('connection_error', 'nemotron'),
      behaviour: async () => {
        const { announced } = await waitsOf({ attempts: 6, baseMs: 50, capMs: 120 });
        expect(announced).toEqual([50, 100, 120, 120, 120]);
        refused = announced.length + 1;
      },
      hitsOfClient: () => refused,
      recovery: async () => {
        await until('it answers', SEEN_MS, () => check());
      },
    });
  });

  scenario('pool-exhaustion-handled-gracefully', async (prove) => {
    closeHttpConnections(); // all 64 are made anew, none of them stale
    let held: Promise<unknown> | undefined;
    const breaker = makeBreaker('nemotron');
    await prove({
      faults: await system.startFault('nemotron', 'timeout', { match: { route: '/completion' } }),
      behaviour: async () => {
        // The 64 connections of the client are held by completions: a check, which no fault touches, gets none.
        held = Promise.allSettled(Array.from({ length: 80 }, () => ask(5000)));
        for (const failure of await openByFailing(breaker, () => check(150)))
          expect(failure).toMatchObject({ message: 'GET /health timed out after 150 ms' });
      },
      recovery: async () => {
        await held;
        await untilClosed(breaker, () => check());
      },
    });
  });

  scenario('circuit-recovers-after-network-heals', async (prove) => {
    const breaker = makeBreaker('nemotron');
    await prove({
      faults: await onNetwork('partition', 'nemotron'),
      behaviour: async () => {
        await openByFailing(breaker, () => check(100));
        await until('the mode is DEGRADED', SEEN_MS, async () => (await system.state()).mode === 'DEGRADED');
      },
      recovery: async () => {
        await untilClosed(breaker, () => check());
        expect(breaker.changes.at(-1)).toMatchObject({ from: 'HALF_OPEN', reason: 'success_threshold' });
        await until('the mode is NORMAL', SEEN_MS, async () => (await system.state()).mode === 'NORMAL');
      },
    });
  });

  scenario('flapping-network-keeps-circuit-open', async (prove) => {
    let breaker = makeBreaker('nemotron');
    const works = () =>
      check(300).then(
        () => true,
        () => false,
      );
    let failures = 0;
    await prove({
      faults: await onNetwork('flapping', 'nemotron', { offMs: 700, onMs: 700 }),
      behaviour: async () => {
        // A turn that ends between two steps is no fault of the breaker: another one tries anew.
        await until('it has opened, tried and opened again', 2 * SEEN_MS, async () => {
          breaker = makeBreaker('nemotron', { recoveryTimeoutMs: 100 });
          await until('the network is off', 5000, async () => !(await works()), 20);
          await openByFailing(breaker, () => check(300));
          await until('the network is on', 5000, works, 20);
          await untilState(breaker, 'HALF_OPEN');
          await breaker.execute(() => check(300));
          expect(breaker.status()).toMatchObject({ state: 'HALF_OPEN', successes: 1 });
          await until('the network is off', 5000, async () => !(await works()), 20);
          await failureOf(breaker.execute(() => check(300)));
          expect(breaker.path).toEqual(['CLOSED', 'OPEN', 'HALF_OPEN', 'OPEN']);
          return true;
        });
        failures = breaker.status().calls.failed;
      },
      hitsOfClient: () => failures,
      recovery: () => untilClosed(breaker, () => check()),
    });
  });

  scenario('read-timeout-handled', async (prove) => {
    const breaker = makeBreaker('nemotron');
    await prove({
      faults: await onNetwork('timeout', 'nemotron'),
      behaviour: async () => {
        for (const failure of await openByFailing(breaker, () => ask(120)))
          expect(failure).toMatchObject({ message: 'POST /completion timed out after 120 ms' });
      },
      recovery: () => untilClosed(breaker, () => ask()),
    });
  });

  scenario('write-timeout-handled', async (prove) => {
    const breaker = makeBreaker('yolo26');
    const frames = Array.from({ length: 6 }, (_, number) => makeFrame(number));
    const send = (timeoutMs: number) => detectorOf(system).detect(frames, timeoutMs);
    let failures = 0;
    await prove({
      faults: await onNetwork('bandwidth', 'yolo26', { rateKibPerSecond: 64 }),
      behaviour: async () => {
        const bytes = frames.reduce((total, { bytes }) => total + bytes.length, 0);
        expect(bytes / 64 / 1024, 'seconds that the body takes').toBeGreaterThan(0.3);
        for (const failure of await openByFailing(breaker, () => send(200)))
          expect(failure).toMatchObject({ reason: 'timeout' });
        failures = breaker.status().calls.failed;
      },
      hitsOfClient: () => failures,
      recovery: () => untilClosed(breaker, () => send(3000)),
    });
  });

  scenario('connect-timeout-handled', async (prove) => {
    closeHttpConnections(); // what is connected goes on
    const breaker = makeBreaker('yolo26');
    await prove({
      faults: await onNetwork('dns_failure', 'yolo26', { answer: 'none' }),
      behaviour: async () => {
        for (const failure of await openByFailing(breaker, () =>
          namedDetector(100).detect([makeFrame()], 3000),
        )) {
          expect(failure).toMatchObject({ reason: 'timeout' });
          expect((failure.cause as Error).message).toBe('POST /detect: connecting timed out after 100 ms');
        }
      },
      recovery: () => untilClosed(breaker, () => namedDetector(500).detect([makeFrame()], 3000)),
    });
  });
});
