import type { SabotagesOf } from './sabotage.ts';

const BREAKER = 'lib/chaos/breaker/circuit-breaker.ts';
const DETECTOR = 'server/pipeline/work/detector.ts';
const CALLS = 'server/pipeline/work/detection-calls.ts';

export const sabotage: SabotagesOf<'yolo26-failures'> = {
  'timeout-raises-unavailable-error': {
    breaks: 'a time-out is not told apart from an unreachable detector',
    file: DETECTOR,
    find: 'if (cause instanceof HttpTimeoutError) {',
    replace: 'if (cause instanceof RangeError) {',
  },
  'timeout-circuit-breaker-opens-after-threshold': {
    breaks: 'time-outs do not count against the breaker',
    file: CALLS,
    find: 'return !isRefusal(error) && !isOutOfMemory(originalOf(error));',
    replace:
      "return !isRefusal(error) && !(error instanceof DetectorUnavailableError && error.reason === 'timeout');",
  },
  'open-circuit-rejects-calls-immediately': {
    breaks: 'an open breaker lets calls through',
    file: BREAKER,
    find: "if (phase.state !== 'CLOSED') phase = this.#admit();",
    replace: "if (phase.state === 'HALF_OPEN') phase = this.#admit();",
  },
  'connection-error-raises-unavailable-error': {
    breaks: 'the errors of sockets are passed on bare',
    file: DETECTOR,
    find: 'throw unavailable(error, timeoutMs);',
    replace: 'throw error instanceof HttpTimeoutError ? unavailable(error, timeoutMs) : error;',
  },
  'health-check-returns-false-on-connection-error': {
    breaks: 'the health check of the detector does not wait for the answer',
    file: 'server/pipeline/work/service-health.ts',
    find: 'check: async () => void (await checkHttp(addresses.yolo26, timeoutMs)),',
    replace: 'check: async () => void checkHttp(addresses.yolo26, timeoutMs).catch(() => {}),',
  },
  '5xx-error-raises-unavailable-error': {
    breaks: 'an answer of 5xx is not taken for an unavailable detector',
    file: DETECTOR,
    find: 'if (answer.status >= 500) throw',
    replace: 'if (answer.status >= 600) throw',
  },
  '4xx-error-returns-empty-list': {
    breaks: 'a refused frame is tried again like any failure',
    file: CALLS,
    find: 'return error.status >= 400 && error.status < 500 && ![408, 425, 429].includes(error.status);',
    replace: 'return error.status === 404;',
  },
  'circuit-breaker-transitions-through-states': {
    breaks: 'successful trials do not close the breaker',
    file: BREAKER,
    find: '++phase.successes >= this.#options.successThreshold',
    replace: '++phase.successes > 1000',
  },
  'half-open-failure-reopens-circuit': {
    breaks: 'a failed trial leaves the breaker half open',
    file: BREAKER,
    find: "this.#toOpen({ reason: 'trial_failed', failures: 1, origin, calls });",
    replace: 'phase.successes = 0;',
  },
  'detector-client-handles-file-not-found': {
    breaks: 'a frame whose file is gone is tried for ever',
    file: 'server/pipeline/work/owed-work.ts',
    find: 'if (!bytes) {',
    replace: 'if (!bytes) return false; else if (bytes.length === 0) {',
  },
  'detector-preserves-original-error-info': {
    breaks: 'the wrapper drops the original error',
    file: DETECTOR,
    find: 'super(message, { cause });',
    replace: 'super(message);',
  },
  'circuit-breaker-allows-recovery-calls': {
    breaks: 'an open breaker does not become half open by itself',
    file: BREAKER,
    find: 'clock.after(recoveryTimeoutMs, () => this.#toHalfOpen());',
    replace: 'clock.after(recoveryTimeoutMs, () => {});',
  },
  'successful-recovery-resets-failure-count': {
    breaks: 'a success does not zero the failure count',
    file: BREAKER,
    find: 'phase.failures = 0;',
    replace: 'phase.failures += 0;',
  },
};
