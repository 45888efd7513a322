import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestControl, until } from '../control.fixture.ts';

let system: TestControl;
beforeAll(async () => {
  system = await TestControl.start();
  await system.agent('proxy', {
    metrics: [{ name: 'queue.detection.oldestAgeMs', unit: 'ms', help: 'Oldest job', read: () => 42 }],
  });
  await system.agent('pipeline', {
    commands: {
      'breaker:command': async ({ name }) => {
        if (name === 'slow') throw Object.assign(new Error('no such'), { code: 'BREAKER_NOT_FOUND' });
        return { done: true };
      },
    },
  });
});
afterAll(() => system.close());

const FAULTS = '/api/v1/faults';
const good = { service: 'redis', type: 'latency' };

interface Case {
  what: string;
  method?: string;
  path?: string;
  body?: unknown;
  headers?: Record<string, string>;
  status: number;
  code: string;
  field?: string;
}

const BAD_INPUT: Case[] = [
  {
    what: 'unknown service',
    body: { service: 'oracle', type: 'latency' },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'service',
  },
  {
    what: 'the control plane as service',
    body: { service: 'control', type: 'latency' },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'service',
  },
  {
    what: 'unknown type',
    body: { service: 'redis', type: 'melt' },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'type',
  },
  {
    what: 'type of another service',
    body: { service: 'redis', type: 'thermal_throttle' },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'type',
  },
  {
    what: 'parameter below its range',
    body: { ...good, params: { latencyMs: -1 } },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'params.latencyMs',
  },
  {
    what: 'parameter above its range',
    body: { ...good, params: { latencyMs: 1e9 } },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'params.latencyMs',
  },
  {
    what: 'parameter of another kind',
    body: { ...good, params: { latencyMs: 'long' } },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'params.latencyMs',
  },
  {
    what: 'unknown parameter',
    body: { ...good, params: { speed: 1 } },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'params.speed',
  },
  {
    what: 'unknown field',
    body: { ...good, color: 'red' },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'color',
  },
  { what: 'missing field', body: { type: 'latency' }, status: 422, code: 'INVALID_INPUT', field: 'service' },
  {
    what: 'ratio above 1',
    body: { ...good, ratio: 1.5 },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'ratio',
  },
  {
    what: 'TTL above the cap',
    body: { ...good, ttlMs: 900_001 },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'ttlMs',
  },
  {
    what: 'TTL below the least',
    body: { ...good, ttlMs: 999 },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'ttlMs',
  },
  {
    what: 'fractional seed',
    body: { ...good, seed: 0.5 },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'seed',
  },
  { what: 'a list', body: [good], status: 422, code: 'INVALID_INPUT' },
  { what: 'no body', status: 422, code: 'INVALID_INPUT', field: 'service' },
  { what: 'text that is not JSON', body: '{"service":', status: 400, code: 'INVALID_JSON' },
  {
    what: 'an oversized body',
    body: { ...good, match: { sql: 'x'.repeat(70_000) } },
    status: 413,
    code: 'BODY_TOO_LARGE',
  },
  {
    what: 'another content type',
    body: 'x',
    headers: { 'content-type': 'text/plain' },
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  { what: 'an unknown route', path: '/api/v1/nothing', status: 404, code: 'NOT_FOUND' },
  { what: 'a route outside v1', path: '/api/v2/faults', status: 404, code: 'NOT_FOUND' },
  {
    what: 'a wrong method',
    method: 'PUT',
    body: good,
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    field: 'method',
  },
  {
    what: 'a fault that is not there',
    method: 'DELETE',
    path: `${FAULTS}/nope`,
    status: 404,
    code: 'FAULT_NOT_FOUND',
  },
  {
    what: 'a version that is none',
    method: 'PATCH',
    path: `${FAULTS}/nope`,
    body: { ratio: 1 },
    headers: { 'if-match': 'x' },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'If-Match',
  },
  {
    what: 'a body where none is taken',
    method: 'DELETE',
    path: `${FAULTS}/nope`,
    body: { force: true },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'force',
  },
  {
    what: 'an unknown preset',
    path: '/api/v1/presets/nope',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'name',
  },
  {
    what: 'an empty reason',
    path: '/api/v1/resume',
    body: { reason: '' },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'reason',
  },
  {
    what: 'a limit out of range',
    method: 'GET',
    path: '/api/v1/timeline?limit=0',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'limit',
  },
  {
    what: 'an unknown query field',
    method: 'GET',
    path: '/api/v1/timeline?since=1',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'since',
  },
  {
    what: 'an unknown series',
    method: 'GET',
    path: '/api/v1/series?names=nope',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'names',
  },
  {
    what: 'a note begun too long ago',
    path: '/api/v1/notes',
    body: { text: 'x', agoMs: 600_001 },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'agoMs',
  },
  {
    what: 'a window that ends before it begins',
    method: 'GET',
    path: '/api/v1/timeline/window?fromMs=2000&toMs=1000',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'toMs',
  },
  {
    what: 'a moment that is no number',
    method: 'GET',
    path: '/api/v1/timeline/window?fromMs=yesterday',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'fromMs',
  },
  {
    what: 'a moment that is left blank',
    method: 'GET',
    path: '/api/v1/timeline/window?fromMs=',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'fromMs',
  },
  {
    what: 'a number of lines that is a fraction',
    method: 'GET',
    path: '/api/v1/timeline?limit=1.5',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'limit',
  },
  {
    what: 'an export in no known format',
    method: 'GET',
    path: '/api/v1/export/facts?format=xml',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'format',
  },
  {
    what: 'an export of an unknown type of fact',
    method: 'GET',
    path: '/api/v1/export/facts?types=note,gossip',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'types',
  },
  {
    what: 'an export of an unknown service',
    method: 'GET',
    path: '/api/v1/export/facts?services=oracle',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'services',
  },
  {
    what: 'an export of samples older than any kept',
    method: 'GET',
    path: '/api/v1/export/series?fromMs=1000&toMs=2000',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'fromMs',
  },
  {
    what: 'more series than one answer may have',
    method: 'GET',
    path: `/api/v1/export/series?names=${Array.from({ length: 51 }, (_, index) => `s${index}`).join()}`,
    status: 422,
    code: 'INVALID_INPUT',
    field: 'names',
  },
  {
    what: 'an unknown breaker command',
    path: '/api/v1/breakers/redis/explode',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'command',
  },
  {
    what: 'an idempotency key that is too long',
    body: good,
    headers: { 'idempotency-key': 'x'.repeat(201) },
    status: 422,
    code: 'INVALID_INPUT',
    field: 'Idempotency-Key',
  },
];

describe('bad input', () => {
  it.each(BAD_INPUT)(
    'is refused: $what',
    async ({ method = 'POST', path = FAULTS, body, headers, status, code, field }) => {
      const answer = await system.call(method, path, body, headers);
      expect([answer.status, answer.body.code]).toEqual([status, code]);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(answer.body).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) });
      if (field !== undefined) {
        expect(answer.body.field).toBe(field);
        expect(answer.body.allowed).toEqual(expect.any(String));
      }
    },
  );

  it('applies nothing of it', async () => {
    expect(system.control.state().faults).toEqual([]);
  });

  it('is refused without reading on when a body of unknown length is too large', async () => {
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(16 * 1024).fill(32));
      },
    });
    const headers = { 'content-type': 'application/json' };
    const init: RequestInit & { duplex: 'half' } = { method: 'POST', body, headers, duplex: 'half' };
    const status = await fetch(`${system.control.url}${FAULTS}`, init).then(
      (response) => response.status,
      () => 'cut',
    );
    expect([413, 'cut']).toContain(status);
    expect((await system.call('GET', FAULTS)).status).toBe(200);
  });
});

describe('REST', () => {
  it('describes itself, with what it really checks', async () => {
    const { body } = await system.call('GET', '/api/v1/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    const create = body.paths['/api/v1/faults'].post;
    const schema = create.requestBody.content['application/json'].schema;
    expect(schema.properties.ttlMs).toMatchObject({ minimum: 1000, maximum: 900_000 });
    expect(create.responses['409'].description).toBe('HALTED, FAULT_EXISTS, TOO_MANY_SERVICES');
    const asked = body.paths['/api/v1/timeline'].get.parameters;
    expect(asked.find(({ name }: { name: string }) => name === 'limit')).toMatchObject({
      in: 'query',
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: 1000, default: 200 },
    });
    for (const path of Object.keys(body.paths)) expect(path.startsWith('/api/v1/')).toBe(true);
    expect(Object.keys(body.paths)).toContain('/api/v1/faults/{id}');
  });

  it('describes each fault type, its services and its parameters', async () => {
    const { body } = await system.call('GET', '/api/v1/openapi.json');
    const { allOf } = body.paths['/api/v1/faults'].post.requestBody.content['application/json'].schema;
    const latency = allOf.find((each: { if?: unknown }) => JSON.stringify(each.if)?.includes('"latency"'));
    expect(latency.then.properties).toMatchObject({
      service: { enum: expect.arrayContaining(['redis', 'gpu']) },
      params: { $ref: '#/components/schemas/params.latency' },
    });
    expect(body.components.schemas['params.latency'].properties.latencyMs).toMatchObject({
      minimum: 0,
      maximum: 60_000,
      default: 500,
      unit: 'ms',
    });
    const { body: catalogue } = await system.call('GET', '/api/v1/catalogue');
    expect(allOf[0].properties.type.enum).toEqual(catalogue.types.map(({ type }: { type: string }) => type));
  });

  it('gives the catalogue that forms are made from', async () => {
    const { body } = await system.call('GET', '/api/v1/catalogue');
    const latency = body.types.find(({ type }: { type: string }) => type === 'latency');
    expect(latency.params.properties.latencyMs).toMatchObject({ default: 500, unit: 'ms' });
    expect(body.services.find(({ name }: { name: string }) => name === 'gpu').types).toContain(
      'thermal_throttle',
    );
    expect(body.ttl).toEqual({ minMs: 1000, defaultMs: 60_000, maxMs: 900_000 });
  });

  it('names what fails in its health', async () => {
    const { status, body } = await system.call('GET', '/api/v1/health');
    expect(status).toBe(503);
    expect(body.failing).toEqual(expect.arrayContaining(['supervisor', 'inference', 'cameras']));
    expect(body.failing).not.toContain('proxy');
  });

  it('passes breaker commands to the pipeline', async () => {
    expect((await system.call('POST', '/api/v1/breakers/redis/reset')).status).toBe(200);
    expect((await system.call('POST', '/api/v1/breakers/slow/reset')).body.code).toBe('BREAKER_NOT_FOUND');
  });

  it('keeps notes in the timeline, page by page', async () => {
    const { body: first } = await system.call('POST', '/api/v1/notes', { text: 'one' });
    await system.call('POST', '/api/v1/notes', { text: 'two' }, { 'x-brownout-operator': 'Bo' });
    const { body } = await system.call('GET', `/api/v1/timeline?after=${first.seq - 1}&limit=1`);
    expect(body.facts).toMatchObject([{ seq: first.seq, type: 'note', data: { by: 'REST', text: 'one' } }]);
    const { body: next } = await system.call('GET', `/api/v1/timeline?after=${first.seq}`);
    expect(next.facts).toMatchObject([{ data: { by: 'Bo', text: 'two' } }]);
    await system.call('POST', '/api/v1/notes', { text: 'begun a while ago', agoMs: 5000 });
    const { body: last } = await system.call('GET', `/api/v1/timeline?after=${next.seq}`);
    const [fact] = last.facts;
    expect(fact.at - fact.data.begunAt).toBeGreaterThanOrEqual(5000);
    expect(fact.at - fact.data.begunAt).toBeLessThan(6000);
  });

  it('gives series with gaps, and the same as Prometheus text', async () => {
    const name = 'queue.detection.oldestAgeMs';
    await until(async () => {
      const { body } = await system.call('GET', `/api/v1/series?names=${name}&stepMs=1000`);
      return body.series[0].values.at(-1) === 42;
    });
    const { body } = await system.call('GET', `/api/v1/series?names=${name},control.loopLagMs`);
    expect(body.series.map((series: { unit: string }) => series.unit)).toEqual(['ms', 'ms']);
    expect(body.series[0].values[0]).toBeNull();
    const undeclared = await system.call('GET', `/api/v1/series?names=${name},gpu.powerW`);
    expect(undeclared.body.series.map((series: { name: string }) => series.name)).toEqual([name]);
    const text = (await system.call('GET', '/metrics')).body;
    expect(text).toContain('brownout_queue_detection_oldest_age_ms 42');
    expect(text).toContain('brownout_agent_up{agent="proxy"} 1');
    expect(text).toMatch(/brownout_facts_total\{type="note"\} \d/);
  });

  it('gives a stretch of the past, and the same as files', async () => {
    const { body: note } = await system.call('POST', '/api/v1/notes', { text: '=1+1, "quoted"' });
    const { body: window } = await system.call('GET', '/api/v1/timeline/window');
    const told = window.facts.find((fact: { seq: number }) => fact.seq === note.seq);
    expect(told).toMatchObject({ type: 'note', subject: 'REST' });
    expect(window.standing).toMatchObject({ halted: false });

    const range = `fromMs=${told.at}&toMs=${told.at}`;
    const csv = await system.call('GET', `/api/v1/export/facts?${range}&types=note`);
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(csv.headers.get('content-disposition')).toMatch(
      /^attachment; filename="brownout-facts-\d{8}T\d{6}Z-\d{8}T\d{6}Z\.csv"$/,
    );
    const [head, row] = csv.body.split('\r\n');
    expect(head).toBe('seq,time,epochMs,type,subject,services,faultIds,data');
    const data = JSON.stringify(told.data).replaceAll('"', '""');
    expect(row).toBe(`${note.seq},${new Date(told.at).toISOString()},${told.at},note,REST,,,"${data}"`);

    const json = await system.call('GET', `/api/v1/export/facts?${range}&format=json`);
    expect(json.body).toMatchObject({ fromMs: told.at, toMs: told.at, gap: false });
    expect(json.body.facts).toContainEqual(told);

    const name = 'queue.detection.oldestAgeMs';
    await until(async () => {
      const { body } = await system.call('GET', `/api/v1/export/series?names=${name}`);
      return body.trimEnd().endsWith(',42');
    });
    const series = await system.call('GET', `/api/v1/export/series?names=${name}`);
    const [columns, first] = series.body.split('\r\n');
    expect(columns).toBe(`time,epochMs,${name} (ms)`);
    expect(first).toMatch(/^\d{4}-.*Z,\d+,$/); // before the process was there: a gap, not zero
    const asJson = await system.call('GET', `/api/v1/export/series?names=${name}&format=json&stepMs=5000`);
    expect(asJson.body.series[0]).toMatchObject({ name, unit: 'ms', stepMs: 5000 });
  });

  it('counts hits by fault and kind', async () => {
    const { injector } = await system.agent('inference');
    const { body: fault } = await system.call('POST', FAULTS, { service: 'gpu', type: 'timeout' });
    for (const kind of ['detect', 'completion', 'detect']) injector.decide('gpu', { kind });
    const hits = { hits: 3, seen: 3, hitsByKind: { detect: 2, completion: 1 } };
    await until(async () => {
      const { body } = await system.call('GET', '/api/v1/state');
      return body.faults[0].hits === 3;
    });
    expect((await system.call('GET', '/api/v1/state')).body.faults).toMatchObject([
      { id: fault.id, ...hits },
    ]);
    const during = (await system.call('GET', '/metrics')).body;
    const labels = `fault="${fault.id}",service="gpu",type="timeout"`;
    expect(during).toContain(`brownout_fault_hits{${labels},kind="detect"} 2`);
    expect(during).toContain(`brownout_fault_hits{${labels},kind="completion"} 1`);
    await system.call('DELETE', `${FAULTS}/${fault.id}`);
    const after = (await system.call('GET', '/metrics')).body;
    expect(after).toContain('brownout_fault_hits_total{service="gpu",type="timeout",kind="detect"} 2');
    expect(after).not.toContain(fault.id);
  });
});
