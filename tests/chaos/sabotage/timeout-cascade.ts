import type { SabotagesOf } from './sabotage.ts';

const BREAKER = 'lib/chaos/breaker/circuit-breaker.ts';
const WORK = 'server/pipeline/work/create-work.ts';
const MAIN = 'server/pipeline/main.ts';
const READER = 'server/pipeline/viewers/event-reader.ts';
const ROWS = 'server/pipeline/work/upload-rows.ts';

export const sabotage: SabotagesOf<'timeout-cascade'> = {
  'detection-timeout-creates-degraded-event': {
    breaks: 'a frame without detections is not marked',
    file: ROWS,
    find: "const unavailable = outcome.kind === 'unavailable';",
    replace: 'const unavailable = false;',
  },
  'enrichment-timeout-uses-default-risk-score': {
    breaks: 'an event waits for the model instead of having a default score',
    file: 'server/pipeline/work/analysis-work.ts',
    find: 'if (signal.aborted) throw error;',
    replace: 'throw error;',
  },
  'both-detection-and-enrichment-timeout': {
    breaks: 'an event of frames without detections is not made',
    file: 'server/pipeline/work/event-rows.ts',
    find: 'if (frames.length === 0) return undefined;',
    replace: 'if (frames.every(({ degraded }) => degraded)) return undefined;',
  },
  'db-and-redis-timeout-activates-circuit-breaker': {
    breaks: 'time-outs of the database do not count',
    file: 'server/pipeline/work/breakers.ts',
    find: 'database: isDatabaseTrouble,',
    replace: 'database: (error) => isDatabaseTrouble(error) && !/time/i.test(String(error)),',
  },
  'db-timeout-during-redis-operation': {
    breaks: 'Redis is behind the breaker of the database',
    file: WORK,
    find: 'breakers.redis.execute(() =>',
    replace: 'breakers.database.execute(() =>',
  },
  'redis-timeout-does-not-block-db-writes': {
    breaks: 'the database is behind the breaker of Redis',
    file: MAIN,
    find: 'guard: (call) => breakers.database.execute(call),',
    replace: 'guard: (call) => breakers.redis.execute(call),',
  },
  'api-timeout-sends-timeout-message-to-websocket': {
    breaks: 'viewers are not told of a read that timed out',
    file: READER,
    find: 'onTimeout(EVENT_READER_DEFAULTS.retryAfterMs);',
    replace: '',
  },
  'websocket-timeout-closes-connection-gracefully': {
    breaks: 'a viewer that takes nothing is kept while little waits for it',
    file: 'server/pipeline/viewers/audience.ts',
    find: 'else if (now - behind.since > sendTimeoutMs)',
    replace: 'else if (now - behind.since > 600_000)',
  },
  'batch-timeout-does-not-delay-next-batch': {
    breaks: 'one detection job at a time',
    file: WORK,
    find: 'const DETECTION_CONCURRENCY = 8;',
    replace: 'const DETECTION_CONCURRENCY = 1;',
  },
  'timeout-in-batch-does-not-lose-pending-items': {
    breaks: 'only the first frame of a call that timed out is stored',
    file: 'server/pipeline/work/detection-calls.ts',
    find: "return frames.map(() => ({ kind: 'unavailable', error: failure }));",
    replace: "return frames.slice(0, 1).map(() => ({ kind: 'unavailable', error: failure }));",
  },
  'detector-timeout-delays-enrichment-start': {
    breaks: 'a frame is handed on to its event before the detector has answered',
    file: 'server/pipeline/work/detection-work.ts',
    find: 'const verdict = await this.#batcher.add({',
    replace:
      "const verdict = { kind: 'unavailable', error: new Error('not waited for') }; void this.#batcher.add({",
  },
  'parallel-service-calls-isolate-timeouts': {
    breaks: 'the model shares the breaker of the detector',
    file: WORK,
    find: ' breaker: breakers.nemotron,',
    replace: ' breaker: breakers.yolo26,',
  },
  'timeout-storm-opens-circuit-breaker': {
    breaks: 'time-outs of the detector do not count',
    file: 'server/pipeline/work/detection-calls.ts',
    find: 'return !isRefusal(error) && !isOutOfMemory(originalOf(error));',
    replace: 'return error instanceof HttpStatusError && !isRefusal(error);',
  },
  'timeout-storm-triggers-rate-limiting': {
    breaks: 'the budget allows every retry',
    file: 'lib/chaos/retry/retry.ts',
    find: 'if (budget && !budget.take()) throw error;',
    replace: '',
  },
  'dlq-absorbs-timeout-storm-overflow': {
    breaks: 'what overflows is counted and kept nowhere',
    file: 'lib/chaos/fallback/fallback-chain.ts',
    find: 'await deadLetter(job);',
    replace: '',
  },
  'multiple-service-timeouts-trigger-degraded-mode': {
    breaks: 'services that are not critical change no mode',
    file: 'lib/chaos/degradation/mode.ts',
    find: "if (criticalDown === 0) return 'DEGRADED';",
    replace: "if (criticalDown === 0) return 'NORMAL';",
  },
  'degraded-mode-uses-longer-timeouts': {
    breaks: 'calls have no more time in DEGRADED',
    file: WORK,
    find: 'services.isUp(service) ? baseMs * services.timeoutFactor : baseMs;',
    replace: 'services.isUp(service) ? baseMs : baseMs;',
  },
  'circuit-breaker-recovery-timeout-respected': {
    breaks: 'it tries again after half the time',
    file: BREAKER,
    find: 'clock.after(recoveryTimeoutMs, () => this.#toHalfOpen());',
    replace: 'clock.after(recoveryTimeoutMs / 2, () => this.#toHalfOpen());',
  },
  'slow-recovery-logged-for-monitoring': {
    breaks: 'a slow recovery is not logged',
    file: 'server/pipeline/work/breakers.ts',
    find: 'if (recoveryMs > 2 * thresholds.recoveryTimeoutMs) {',
    replace: 'if (recoveryMs > 200 * thresholds.recoveryTimeoutMs) {',
  },
};
