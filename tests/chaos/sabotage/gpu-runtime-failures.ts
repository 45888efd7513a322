import type { SabotagesOf } from './sabotage.ts';

const BREAKER = 'lib/chaos/breaker/circuit-breaker.ts';
const CALLS = 'server/pipeline/work/detection-calls.ts';
const HOST = 'server/inference/gpu-host.ts';
const KEEPER = 'server/inference/restart-keeper.ts';
const CHECKS = 'server/pipeline/work/health-checks.ts';
const NEVER_OPENS = {
  breaks: 'failures never open a breaker',
  file: BREAKER,
  find: 'if (failures < this.#options.failureThreshold) return;',
  replace: 'if (failures > 0) return;',
};

export const sabotage: SabotagesOf<'gpu-runtime-failures'> = {
  'gpu-driver-crash-during-detection': {
    breaks: 'a frame that the card could not take is stored without detections',
    file: CALLS,
    find: "if (failure instanceof DetectorUnavailableError && failure.reason === 'timeout') {",
    replace: 'if (failure instanceof DetectorUnavailableError) {',
  },
  'repeated-gpu-failures-open-circuit-breaker': NEVER_OPENS,
  'degradation-manager-marks-gpu-unhealthy': {
    breaks: 'a card that is off the bus passes its check',
    file: CHECKS,
    find: "if (available === false) throw new Error('The GPU is not available');",
    replace: '',
  },
  'cuda-out-of-memory-error-handling': {
    breaks: 'batches stay as large as they were',
    file: 'server/pipeline/work/batch-size.ts',
    find: 'return this.#size;',
    replace: 'return MAX_BATCH_SIZE;',
  },
  'vram-fragmentation-degrades-performance': {
    breaks: 'memory in pieces is not told from memory that is full',
    file: HOST,
    find: 'const fragmented = largestFreeMib < imageMib && freeMib + cachedMib >= imageMib;',
    replace: 'const fragmented = false;',
  },
  'multiple-concurrent-inferences-exceed-vram': {
    breaks: 'what found no room is not tried again',
    file: 'lib/chaos/retry/retry.ts',
    find: 'if (attempt >= attempts || signal?.aborted || !isRetryable(error)) throw error;',
    replace: 'if (attempts >= 0) throw error;',
  },
  'thermal-throttle-detected-via-slow-inference': {
    breaks: 'a card whose clock is down passes for healthy',
    file: 'server/inference/health.ts',
    find: "gpu.device === 'cpu' || gpu.throttled.length > 0 || host.slowed || gpu.maxBatchSize < host.batchLimit.max;",
    replace: "gpu.device === 'cpu';",
  },
  'thermal-throttle-triggers-inference-pause': {
    breaks: 'inference goes on at 90 °C',
    file: HOST,
    find: 'return this.device.available && this.device.softwareThermal;',
    replace: 'return false;',
  },
  'cuda-context-corrupted-triggers-restart': {
    breaks: 'a service with a spoilt context does not restart itself',
    file: HOST,
    find: 'this.#restarts.schedule(model, false);\n      throw corrupted',
    replace: 'throw corrupted',
  },
  'cuda-initialization-failure-on-startup': {
    breaks: 'a model that could not be loaded is not mentioned',
    file: KEEPER,
    find: "if (!failedBefore) this.#options.logger.error({ err: error, model: name }, 'could not load');",
    replace: '',
  },
  'model-file-corrupted-on-load': {
    breaks: 'a model file is served without a look at its checksum',
    file: 'server/inference/model-files.ts',
    find: "if (header.sha256 === found && header.model === model && typeof header.version === 'string') return header;",
    replace: 'return header;',
  },
  'model-version-mismatch-error': {
    breaks: 'any version of a model is served',
    file: 'server/inference/model-files.ts',
    find: 'if (header.version !== expected) {',
    replace: "if (header.version === '') {",
  },
  'inference-timeout-retries-with-backoff': {
    breaks: 'the wait does not grow',
    file: 'lib/chaos/retry/backoff.ts',
    find: 'baseMs * factor ** Math.max(0, attempt - 1)',
    replace: 'baseMs * factor',
  },
  'consecutive-timeouts-open-circuit-breaker': NEVER_OPENS,
  'no-gpu-available-falls-back-to-cpu': {
    breaks: 'without a card nothing runs',
    file: HOST,
    find: "return this.device.absent || this.#fault('device_index') !== undefined;",
    replace: "return this.#fault('device_index') !== undefined;",
  },
  'gpu-device-index-out-of-range': {
    breaks: 'a wrong device index is not noticed',
    file: HOST,
    find: "return this.device.absent || this.#fault('device_index') !== undefined;",
    replace: 'return this.device.absent;',
  },
  'partial-batch-failure-processes-successful-items': {
    breaks: 'the bad item of a batch is not tried again alone',
    file: CALLS,
    find: 'return this.runOne(frame);',
    replace: "return { kind: 'failed', error: outcome, retryAfterMs: null, called: true };",
  },
  'batch-size-reduced-after-oom-errors': {
    breaks: 'running out of memory does not make batches smaller',
    file: 'server/pipeline/work/batch-size.ts',
    find: 'return this.#size;',
    replace: 'return MAX_BATCH_SIZE;',
  },
};
