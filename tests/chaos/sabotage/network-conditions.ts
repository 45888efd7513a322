import type { SabotagesOf } from './sabotage.ts';

const BREAKER = 'lib/chaos/breaker/circuit-breaker.ts';
const RETRY = 'lib/chaos/retry/retry.ts';
const BACKOFF = 'lib/chaos/retry/backoff.ts';
const HTTP = 'server/pipeline/work/http-call.ts';
const NEVER_OPENS = {
  breaks: 'failures never open a breaker',
  file: BREAKER,
  find: 'if (failures < this.#options.failureThreshold) return;',
  replace: 'if (failures > 0) return;',
};
const NO_DEADLINE = {
  breaks: 'calls wait beyond their deadline',
  file: HTTP,
  find: '() => giveUp(new HttpTimeoutError(what, Math.round(timeoutMs)))',
  replace: '() => {}',
};
const NEVER_CLOSES = {
  breaks: 'successful trials do not close the breaker',
  file: BREAKER,
  find: '++phase.successes >= this.#options.successThreshold',
  replace: '++phase.successes > 1000',
};

export const sabotage: SabotagesOf<'network-conditions'> = {
  'circuit-breaker-handles-slow-responses': {
    breaks: 'a call is given a tenth of its time',
    file: HTTP,
    find: 'return await attempt(call, call.timeoutMs);',
    replace: 'return await attempt(call, call.timeoutMs / 20);',
  },
  'high-latency-with-timeout-triggers-failure': NO_DEADLINE,
  'intermittent-failures-with-retry-succeeds': {
    breaks: 'nothing is tried again',
    file: RETRY,
    find: 'if (attempt >= attempts || signal?.aborted || !isRetryable(error)) throw error;',
    replace: 'if (attempts >= 0) throw error;',
  },
  'sustained-packet-loss-opens-circuit': NEVER_OPENS,
  'random-failures-tracked-correctly': {
    breaks: 'a success does not zero the failure count',
    file: BREAKER,
    find: 'phase.failures = 0;',
    replace: 'phase.failures += 0;',
  },
  'dns-failure-handled-as-connection-error': {
    breaks: 'a name that is not resolved is no failure of the resolver to the client',
    file: 'lib/chaos/dns/named-lookup.ts',
    find: "const code = CODES[cause.code ?? ''] ?? 'EAI_AGAIN';",
    replace: "const code = CODES[cause.code ?? ''] ?? 'EUNKNOWN';",
  },
  'partial-partition-affects-some-services': {
    breaks: 'a network fault on one service acts on all',
    file: 'lib/chaos/proxy/service-faults.ts',
    find: "const chosen = fault.params['services'];",
    replace: 'const chosen: unknown = [];',
  },
  'exponential-backoff-delays-increase': {
    breaks: 'the wait does not grow',
    file: BACKOFF,
    find: 'baseMs * factor ** Math.max(0, attempt - 1)',
    replace: 'baseMs * factor ** 0',
  },
  'backoff-respects-max-delay': {
    breaks: 'the wait has no cap',
    file: BACKOFF,
    find: 'return Math.min(capMs, ',
    replace: 'return Math.max(0, ',
  },
  'pool-exhaustion-handled-gracefully': NO_DEADLINE,
  'circuit-recovers-after-network-heals': NEVER_CLOSES,
  'flapping-network-keeps-circuit-open': {
    breaks: 'a failed trial leaves the breaker half open',
    file: BREAKER,
    find: "this.#toOpen({ reason: 'trial_failed', failures: 1, origin, calls });",
    replace: 'phase.successes = 0;',
  },
  'read-timeout-handled': NO_DEADLINE,
  'write-timeout-handled': NO_DEADLINE,
  'connect-timeout-handled': {
    breaks: 'connecting has no deadline of its own',
    file: HTTP,
    find: 'const limitMs = Math.min(connectMs, timeoutMs);',
    replace: 'const limitMs = timeoutMs;',
  },
};
