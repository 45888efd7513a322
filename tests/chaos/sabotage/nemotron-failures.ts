import type { SabotagesOf } from './sabotage.ts';

const BREAKER = 'lib/chaos/breaker/circuit-breaker.ts';
const MODEL = 'server/pipeline/work/language-model.ts';
const ANSWER = 'server/pipeline/work/analysis-answer.ts';
const ANALYSIS = 'server/pipeline/work/analysis-work.ts';
const HTTP = 'server/pipeline/work/http-call.ts';
const CHECKS = 'server/pipeline/work/health-checks.ts';

export const sabotage: SabotagesOf<'nemotron-failures'> = {
  'timeout-circuit-breaker-opens': {
    breaks: 'calls wait beyond their deadline',
    file: HTTP,
    find: '() => giveUp(new HttpTimeoutError(what, Math.round(timeoutMs)))',
    replace: '() => {}',
  },
  'health-check-returns-false-on-timeout': {
    breaks: 'the health check of the model does not wait for the answer',
    file: 'server/pipeline/work/service-health.ts',
    find: 'check: async () => void (await checkHttp(addresses.nemotron, timeoutMs)),',
    replace: 'check: async () => void checkHttp(addresses.nemotron, timeoutMs).catch(() => {}),',
  },
  'connection-error-handled-gracefully': {
    breaks: 'an event waits until the model can be reached',
    file: ANALYSIS,
    find: 'if (signal.aborted) throw error;',
    replace: 'if (!(error instanceof HttpTimeoutError)) throw error;',
  },
  'circuit-breaker-opens-on-connection-failures': {
    breaks: 'failures never open a breaker',
    file: BREAKER,
    find: 'if (failures < this.#options.failureThreshold) return;',
    replace: 'if (failures > 0) return;',
  },
  'invalid-json-handled-with-defaults': {
    breaks: 'an event without a usable answer is not stored',
    file: ANALYSIS,
    find: 'if (signal.aborted) throw error;',
    replace: 'if (error instanceof MalformedAnswerError) throw error;',
  },
  'missing-risk-score-handled': {
    breaks: 'an answer without a score counts as one of 0',
    file: ANSWER,
    find: "parsed === undefined ? undefined : scoreOf(parsed['risk_score']);",
    replace: "parsed === undefined ? undefined : (scoreOf(parsed['risk_score']) ?? 0);",
  },
  'validate-risk-data-handles-out-of-range': {
    breaks: 'the score is not clamped',
    file: ANSWER,
    find: 'Math.round(Math.min(100, Math.max(0, score)))',
    replace: 'Math.round(score)',
  },
  'validate-risk-data-handles-invalid-level': {
    breaks: "the model's own level is believed",
    file: ANSWER,
    find: 'riskLevel: riskLevelOf(riskScore),',
    replace: "riskLevel: (parsed['risk_level'] as RiskLevel) ?? riskLevelOf(riskScore),",
  },
  '429-response-handled': {
    breaks: 'an answer of 429 is read as if it held an analysis',
    file: MODEL,
    find: 'if (answer.status >= 400) throw new HttpStatusError(what, answer);',
    replace: 'if (answer.status >= 500) throw new HttpStatusError(what, answer);',
  },
  'fallback-risk-assessment-structure': {
    breaks: 'the level of a default score does not follow from it',
    file: 'server/pipeline/work/assessment.ts',
    find: 'riskLevel: riskLevelOf(riskScore),',
    replace: "riskLevel: 'critical' as const,",
  },
  'circuit-breaker-recovery-with-nemotron': {
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
  'parse-response-with-think-blocks': {
    breaks: 'what the model thinks is read as its answer',
    file: ANSWER,
    find: 'const spoken = withoutThinking(content.slice(0, MAX_CONTENT_CHARS));',
    replace: 'const spoken = content.slice(0, MAX_CONTENT_CHARS);',
  },
  'parse-response-with-preamble-text': {
    breaks: 'the answer must begin with its object',
    file: ANSWER,
    find: 'for (const candidate of objectsIn(spoken)) {',
    replace: 'for (const candidate of [spoken]) {',
  },
  'parse-empty-response-raises-error': {
    breaks: 'an answer without content is taken for a score of 0',
    file: MODEL,
    find: 'const analysis = content === undefined ? undefined : parseAnalysis(content);',
    replace: 'const analysis = parseAnalysis(content ?? \'{"risk_score": 0}\');',
  },
  'parse-partial-json-recovers-or-raises': {
    breaks: 'an object that is cut off is not repaired',
    file: ANSWER,
    find: 'return parseObject(text) ?? parseObject(repaired(text));',
    replace: 'return parseObject(text);',
  },
  'health-check-success': {
    breaks: 'the health check finds fault with every answer',
    file: CHECKS,
    find: "if (answer.status >= 400) throw new HttpStatusError('GET /health', answer);\n  return answer;",
    replace: "if (answer.status >= 200) throw new HttpStatusError('GET /health', answer);\n  return answer;",
  },
  'health-check-5xx-returns-false': {
    breaks: 'the health check takes any answer for health',
    file: CHECKS,
    find: "if (answer.status >= 400) throw new HttpStatusError('GET /health', answer);\n  return answer;",
    replace: "if (answer.status >= 600) throw new HttpStatusError('GET /health', answer);\n  return answer;",
  },
};
