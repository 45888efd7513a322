import { afterAll, beforeAll, describe, expect } from 'vitest';
import { BreakerOpenError } from '#lib/chaos/breaker/breaker-open-error.ts';
import { hashOf } from '#server/inference/nemotron/risk-assessment.ts';
import type { RiskLevel, RiskSource } from '#server/pipeline/contracts.ts';
import { parseAnalysis, riskLevelOf } from '#server/pipeline/work/analysis-answer.ts';
import { checkHttp } from '#server/pipeline/work/health-checks.ts';
import { HttpStatusError, HttpTimeoutError, MalformedAnswerError } from '#server/pipeline/work/http-call.ts';
import {
  nemotronMalformedResponse,
  nemotronTimeout,
  nemotronUnavailable,
} from '#tests/support/fault-presets.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import {
  failureOf,
  languageModelOf,
  makeBreaker,
  openByFailing,
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
  // Every frame becomes an event; the model must have time left for those that it owes.
  system = await startSystem({ cameraRate: 1, env: { PROFILE: 'test', CAMERA_COUNT: '1' } });
  // Events of frames that owe their detection are not analysed again before.
  await until('the detector knows the background', 30_000, async () => {
    const [row] = await system.sql('select 1 from detections where not warming_up and not owed');
    return row;
  });
});
afterAll(() => system?.close());

const scenario = calmScenariosOf('nemotron-failures', () => system);

const PROMPT = 'Camera: probe\nFrames: 1\nObjects: 1 × car';

/** A prompt that the model answers in this style: 0 after a think block, 1 after a preamble, 2 and 3 bare. */
function promptOfStyle(style: number): string {
  for (let number = 1; ; number++) {
    const prompt = `${PROMPT}\nNumber: ${number}`;
    if (hashOf(`style ${prompt}`) % 4 === style) return prompt;
  }
}

const ask = (prompt = PROMPT, timeoutMs = 4000, maxTokens = 100) =>
  languageModelOf(system, maxTokens).analyse(prompt, timeoutMs, 'probe');

/** The text as the model gave it. */
async function rawContent(prompt: string, maxTokens = 100): Promise<string> {
  const { host, port } = system.wiring.proxied.nemotron;
  const answer = await fetch(`http://${host}:${port}/completion`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ prompt, max_tokens: maxTokens }),
  });
  return ((await answer.json()) as { content: string }).content;
}

const answersAgain = () => until('the model answers', SEEN_MS, () => ask());

interface StoredEvent {
  event_id: string;
  camera: string;
  risk_score: number;
  risk_level: RiskLevel;
  risk_source: RiskSource;
  summary: string;
  reasoning: string;
  owed: boolean;
}

const eventsSince = (since: number) =>
  system.sql<StoredEvent>('select * from events where created_at > $1 order by seq', [new Date(since)]);

const untilEvent = (since: number, fits: (event: StoredEvent) => boolean) =>
  until('such an event is stored', SEEN_MS, async () => (await eventsSince(since)).find(fits));

const isMarked = ({ risk_source, owed }: StoredEvent) => risk_source !== 'llm' && owed;

/** The marked default does not stay. */
const untilReanalysed = (eventId: string) =>
  until('the event is analysed again', SEEN_MS, async () => {
    const [event] = await system.sql<StoredEvent>('select * from events where event_id = $1', [eventId]);
    return event?.risk_source === 'llm' && !event.owed;
  });

describe('nemotron failures', () => {
  scenario('timeout-circuit-breaker-opens', async (prove) => {
    const breaker = makeBreaker('nemotron');
    await prove({
      faults: await system.startFault('nemotron', 'timeout', { match: { route: '/completion' } }),
      behaviour: async () => {
        await openByFailing(breaker, () => ask(PROMPT, 150));
        expect(breaker.status().lastError).toBe('POST /completion timed out after 150 ms');
        expect(await failureOf(breaker.execute(() => ask()))).toBeInstanceOf(BreakerOpenError);
      },
      recovery: () => untilClosed(breaker, () => ask()),
    });
  });

  scenario('health-check-returns-false-on-timeout', async (prove) => {
    await prove({
      faults: await nemotronTimeout(system),
      behaviour: async () => {
        const error = await failureOf(checkHttp(system.wiring.proxied.nemotron, 200));
        expect(error).toBeInstanceOf(HttpTimeoutError);
        const service = await until('nemotron is unhealthy', SEEN_MS, async () => {
          const told = await pipelineService(system, 'nemotron');
          return told.healthy ? undefined : told;
        });
        expect(service.error).toMatch(/timed out|took longer/);
        expect(service.origin).toBe('injected');
      },
      recovery: async () => {
        await until('nemotron is healthy', SEEN_MS, async () => {
          const { healthy, error } = await pipelineService(system, 'nemotron');
          return healthy && error === null;
        });
        expect((await checkHttp(system.wiring.proxied.nemotron, 5000)).status).toBe(200);
      },
    });
  });

  scenario('connection-error-handled-gracefully', async (prove) => {
    const fault = await system.startFault('nemotron', 'connection_error');
    const since = Date.now();
    let refused = 0;
    let eventId = '';
    await prove({
      faults: fault,
      behaviour: async () => {
        expect(await failureOf(ask())).toMatchObject({ code: 'ECONNREFUSED' });
        refused++;
        const event = await untilEvent(since, isMarked);
        eventId = event.event_id;
        expect(event.summary).toMatch(/^Not analysed yet/);
        expect((await system.state()).pipeline, 'the pipeline lives').not.toBeNull();
      },
      hitsOfClient: () => refused,
      recovery: async () => {
        await answersAgain();
        await untilReanalysed(eventId);
      },
    });
  });

  scenario('circuit-breaker-opens-on-connection-failures', async (prove) => {
    await untilPipelineClosed(system, 'nemotron');
    const { seq } = await system.state();
    const breaker = makeBreaker('nemotron');
    let refused = 0;
    await prove({
      faults: await nemotronUnavailable(system),
      behaviour: async () => {
        await openByFailing(breaker, () => ask());
        refused += breaker.status().calls.failed;
        expect(breaker.status().lastError).toContain('ECONNREFUSED');
        const opened = await untilFact(
          system,
          seq,
          'breakerChanged',
          ({ breaker: name, from, to }) => name === 'nemotron' && from === 'CLOSED' && to === 'OPEN',
        );
        expect(opened).toMatchObject({ failures: 3, reason: 'failure_threshold', origin: 'injected' });
      },
      hitsOfClient: () => refused,
      recovery: () => untilClosed(breaker, () => ask()),
    });
  });

  scenario('invalid-json-handled-with-defaults', async (prove) => {
    const fault = await nemotronMalformedResponse(system);
    const since = Date.now();
    let eventId = '';
    await prove({
      faults: fault,
      behaviour: async () => {
        const error = await failureOf(ask());
        expect(error).toBeInstanceOf(MalformedAnswerError);
        expect(error).toMatchObject({ code: 'MALFORMED', faultId: fault.id });
        const record = await untilLogged(
          system,
          'pipeline',
          since,
          ({ msg, level, err }) =>
            level === WARN &&
            msg === 'no analysis: default score' &&
            err === 'POST /completion gave an answer that cannot be used',
        );
        expect(record).toMatchObject({ camera: expect.any(String), traceId: expect.any(String) });
        eventId = String(record['batchId']);
        const event = await untilEvent(since, ({ event_id }) => event_id === eventId);
        expect(isMarked(event)).toBe(true);
      },
      recovery: async () => {
        await answersAgain();
        await untilReanalysed(eventId);
      },
    });
  });

  scenario('missing-risk-score-handled', async (prove) => {
    const fault = await system.startFault('nemotron', 'malformed_response', {
      params: { mode: 'missing_score' },
    });
    const since = Date.now();
    await prove({
      faults: fault,
      behaviour: async () => {
        // The rest of the answer is whole, and is not believed without a score.
        expect(await rawContent(promptOfStyle(2))).toContain('"risk_level":');
        expect(await failureOf(ask(promptOfStyle(2)))).toBeInstanceOf(MalformedAnswerError);
        const event = await untilEvent(since, isMarked);
        expect(event.risk_score).toBeGreaterThanOrEqual(0);
        expect(event.summary).toMatch(/^Not analysed yet/);
      },
      recovery: async () => {
        expect((await answersAgain()).riskScore).toBeGreaterThan(0);
      },
    });
  });

  scenario('validate-risk-data-handles-out-of-range', async (prove) => {
    const fault = await system.startFault('nemotron', 'malformed_response', {
      params: { mode: 'score_out_of_range' },
    });
    const since = Date.now();
    await prove({
      faults: fault,
      behaviour: async () => {
        expect(await rawContent(PROMPT)).toMatch(/"risk_score": ?1000/);
        expect(await ask()).toMatchObject({ riskScore: 100 });
        await untilEvent(since, (event) => event.risk_source === 'llm' && event.risk_score === 100);
      },
      recovery: async () => {
        const { riskScore } = await answersAgain();
        expect(riskScore).toBeLessThan(100);
      },
    });
  });

  scenario('validate-risk-data-handles-invalid-level', async (prove) => {
    await prove({
      faults: await system.startFault('nemotron', 'malformed_response', {
        params: { mode: 'score_out_of_range' },
      }),
      behaviour: async () => {
        // The model still says "medium", which does not go with the score.
        expect(await rawContent(PROMPT)).toContain('"risk_level":"medium"');
        expect(await ask()).toMatchObject({ riskScore: 100, riskLevel: 'critical' });
      },
      recovery: async () => {
        const { riskScore, riskLevel } = await answersAgain();
        expect({ riskLevel, fits: riskLevelOf(riskScore) }).toEqual({ riskLevel: 'medium', fits: 'medium' });
      },
    });
  });

  scenario('429-response-handled', async (prove) => {
    await untilPipelineClosed(system, 'nemotron');
    const breaker = makeBreaker('nemotron');
    await prove({
      faults: await system.startFault('nemotron', 'rate_limited', { params: { retryAfterMs: 2000 } }),
      behaviour: async () => {
        const error = await failureOf(breaker.execute(() => ask()));
        expect(error).toBeInstanceOf(HttpStatusError);
        expect(error).toMatchObject({ status: 429, retryAfterMs: 2000 });
        expect(breaker.status()).toMatchObject({ failures: 1, calls: { failed: 1, injected: 1 } });
        await until('the pipeline has counted one', SEEN_MS, async () => {
          const { lastError, calls } = await pipelineBreaker(system, 'nemotron');
          return lastError === 'POST /completion answered 429' && calls.injected > 0;
        });
      },
      recovery: async () => {
        await breaker.execute(() => ask());
        expect(breaker.status().failures).toBe(0);
      },
    });
  });

  scenario('fallback-risk-assessment-structure', async (prove) => {
    const fault = await system.startFault('nemotron', 'server_error');
    const since = Date.now();
    let eventId = '';
    await prove({
      faults: fault,
      behaviour: async () => {
        const event = await untilEvent(since, isMarked);
        eventId = event.event_id;
        expect(['cache', 'object_estimate', 'default']).toContain(event.risk_source);
        expect(event.risk_score).toBeGreaterThanOrEqual(0);
        expect(event.risk_score).toBeLessThanOrEqual(100);
        expect(event.risk_level).toBe(riskLevelOf(event.risk_score));
        expect(event.summary).toMatch(/^Not analysed yet: /);
        expect(event.reasoning).toMatch(/The language model gave no answer .* will be replaced\.$/);
        // What viewers are given is marked in the same way.
        const seen = await fetch(`${system.backendUrl}/api/events/${eventId}`);
        expect(await seen.json()).toMatchObject({
          event: { riskScore: event.risk_score, riskSource: event.risk_source },
        });
      },
      recovery: async () => {
        await answersAgain();
        await untilReanalysed(eventId);
      },
    });
  });

  scenario('circuit-breaker-recovery-with-nemotron', async (prove) => {
    const breaker = makeBreaker('nemotron');
    await prove({
      faults: await system.startFault('nemotron', 'server_error', { match: { route: '/completion' } }),
      behaviour: async () => {
        await openByFailing(breaker, () => ask());
      },
      recovery: async () => {
        await untilState(breaker, 'HALF_OPEN');
        await Promise.all([breaker.execute(() => ask()), breaker.execute(() => ask())]);
        expect(breaker.path).toEqual(['CLOSED', 'OPEN', 'HALF_OPEN', 'CLOSED']);
        await untilPipelineClosed(system, 'nemotron');
      },
    });
  });

  scenario('half-open-failure-reopens-circuit', async (prove) => {
    const breaker = makeBreaker('nemotron');
    await prove({
      faults: await system.startFault('nemotron', 'server_error', { match: { route: '/completion' } }),
      behaviour: async () => {
        await openByFailing(breaker, () => ask());
        await untilState(breaker, 'HALF_OPEN');
        expect(await failureOf(breaker.execute(() => ask()))).toBeInstanceOf(HttpStatusError);
        expect(breaker.path).toEqual(['CLOSED', 'OPEN', 'HALF_OPEN', 'OPEN']);
        expect(await failureOf(breaker.execute(() => ask()))).toBeInstanceOf(BreakerOpenError);
      },
      recovery: () => untilClosed(breaker, () => ask()),
    });
  });

  scenario('parse-response-with-think-blocks', async (prove) => {
    const prompt = promptOfStyle(0);
    await prove({
      faults: await system.startFault('nemotron', 'latency', { params: { latencyMs: 100 } }),
      behaviour: async () => {
        const content = await rawContent(prompt);
        expect(content).toMatch(/^<think>.+<\/think>\n\{/);
        const said = JSON.parse(content.slice(content.indexOf('{'))) as {
          risk_score: number;
          summary: string;
        };
        const expected = { riskScore: said.risk_score, summary: said.summary };
        await expect(ask(prompt)).resolves.toMatchObject(expected);
        // A score that the model only thinks of is not its answer.
        const doubted = content.replace('<think>', '<think>{"risk_score": 99} would be too much. ');
        expect(parseAnalysis(doubted)?.riskScore).toBe(said.risk_score);
      },
      recovery: async () => {
        await ask(prompt);
      },
    });
  });

  scenario('parse-response-with-preamble-text', async (prove) => {
    const prompt = promptOfStyle(1);
    await prove({
      faults: await system.startFault('nemotron', 'latency', { params: { latencyMs: 100 } }),
      behaviour: async () => {
        const content = await rawContent(prompt);
        expect(content).toMatch(/^Here is the assessment:\n\{/);
        const said = JSON.parse(content.slice(content.indexOf('{'))) as {
          risk_score: number;
          summary: string;
        };
        expect(await ask(prompt)).toMatchObject({ riskScore: said.risk_score, summary: said.summary });
      },
      recovery: async () => {
        await ask(prompt);
      },
    });
  });

  scenario('parse-empty-response-raises-error', async (prove) => {
    await prove({
      faults: await system.startFault('nemotron', 'malformed_response', { params: { mode: 'empty' } }),
      behaviour: async () => {
        const error = await failureOf(ask());
        expect(error).toBeInstanceOf(MalformedAnswerError);
        expect(error['body']).toBe('');
      },
      recovery: async () => {
        await answersAgain();
      },
    });
  });

  scenario('parse-partial-json-recovers-or-raises', async (prove) => {
    const prompt = promptOfStyle(2);
    await prove({
      faults: await system.startFault('nemotron', 'latency', { params: { latencyMs: 100 } }),
      behaviour: async () => {
        const whole = await ask(prompt);
        // Cut by the limit of tokens: behind the score, then before it.
        const cut = await rawContent(prompt, 13);
        expect(cut).toContain('"risk_score":');
        expect(() => JSON.parse(cut)).toThrow(SyntaxError);
        await expect(ask(prompt, 4000, 13)).resolves.toMatchObject({
          riskScore: whole.riskScore,
          riskLevel: whole.riskLevel,
        });
        expect(await failureOf(ask(prompt, 4000, 3))).toBeInstanceOf(MalformedAnswerError);
      },
      recovery: async () => {
        await ask(prompt);
      },
    });
  });

  scenario('health-check-success', async (prove) => {
    await prove({
      // It refuses completions and leaves the check alone.
      faults: await system.startFault('nemotron', 'rate_limited'),
      behaviour: async () => {
        expect((await failureOf(ask()))['status']).toBe(429);
        await expect(checkHttp(system.wiring.proxied.nemotron, 5000)).resolves.toMatchObject({
          status: 200,
          faultId: undefined,
          body: expect.stringContaining('"model":"nemotron"'),
        });
        const checkedAt = (await pipelineService(system, 'nemotron')).checkedAt ?? 0;
        await until('the pipeline checks it again', SEEN_MS, async () => {
          const service = await pipelineService(system, 'nemotron');
          expect(service.healthy).toBe(true);
          return (service.checkedAt ?? 0) > checkedAt && service.error === null;
        });
      },
      recovery: async () => {
        await answersAgain();
      },
    });
  });

  scenario('health-check-5xx-returns-false', async (prove) => {
    await prove({
      faults: await system.startFault('nemotron', 'server_error', {
        params: { status: 503 },
        match: { route: '/health' },
      }),
      behaviour: async () => {
        expect(await failureOf(checkHttp(system.wiring.proxied.nemotron, 5000))).toMatchObject({
          status: 503,
        });
        const service = await until('nemotron is unhealthy', SEEN_MS, async () => {
          const told = await pipelineService(system, 'nemotron');
          return told.healthy ? undefined : told;
        });
        expect(service).toMatchObject({ error: 'GET /health answered 503', origin: 'injected' });
        await until('the mode says so', SEEN_MS, async () => (await system.state()).mode === 'DEGRADED');
      },
      recovery: async () => {
        await until('nemotron is healthy, the mode NORMAL', SEEN_MS, async () => {
          const { healthy } = await pipelineService(system, 'nemotron');
          return healthy && (await system.state()).mode === 'NORMAL';
        });
      },
    });
  });
});
