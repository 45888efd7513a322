import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '#lib/protocol/errors.ts';
import { startBrowser, type TestBrowser } from '#tests/support/browser.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';

let system: System;
let browser: TestBrowser;

beforeAll(async () => {
  [system, browser] = await Promise.all([startSystem({ cameraRate: 0 }), startBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await system?.close();
});

const JSON_TYPE = { 'content-type': 'application/json' };

async function send(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = JSON_TYPE,
) {
  const answer = await fetch(`${system.url}/api/v1${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    problem: (await answer.json()) as Problem,
  };
}

interface Refusal {
  name: string;
  method: string;
  path: string;
  body?: string;
  headers?: Record<string, string>;
  status: number;
  code: string;
  field?: string;
  allowed?: RegExp;
}

const fault = (more: object) => JSON.stringify({ service: 'yolo26', type: 'latency', ...more });

const REFUSALS: Refusal[] = [
  {
    name: 'an unknown service',
    method: 'POST',
    path: '/faults',
    body: fault({ service: 'yolo27' }),
    status: 422,
    code: 'INVALID_INPUT',
    field: 'service',
    allowed: /yolo26.*nemotron/,
  },
  {
    name: 'an unknown type',
    method: 'POST',
    path: '/faults',
    body: fault({ type: 'explode' }),
    status: 422,
    code: 'INVALID_INPUT',
    field: 'type',
    allowed: /timeout/,
  },
  {
    name: 'a type that does not fit the service',
    method: 'POST',
    path: '/faults',
    body: fault({ type: 'vram_exhaustion' }),
    status: 422,
    code: 'INVALID_INPUT',
    field: 'type',
    allowed: /latency/,
  },
  {
    name: 'a parameter above its range',
    method: 'POST',
    path: '/faults',
    body: fault({ params: { latencyMs: 60_001 } }),
    status: 422,
    code: 'INVALID_INPUT',
    field: 'params.latencyMs',
    allowed: /60000/,
  },
  {
    name: 'a parameter below its range',
    method: 'POST',
    path: '/faults',
    body: fault({ params: { latencyMs: -1 } }),
    status: 422,
    code: 'INVALID_INPUT',
    field: 'params.latencyMs',
    allowed: /0/,
  },
  {
    name: 'a parameter of the wrong type',
    method: 'POST',
    path: '/faults',
    body: fault({ params: { latencyMs: 'long' } }),
    status: 422,
    code: 'INVALID_INPUT',
    field: 'params.latencyMs',
    allowed: /number/,
  },
  {
    name: 'an unknown parameter',
    method: 'POST',
    path: '/faults',
    body: fault({ params: { delay: 1 } }),
    status: 422,
    code: 'INVALID_INPUT',
    field: 'params.delay',
  },
  {
    name: 'a ratio above 1',
    method: 'POST',
    path: '/faults',
    body: fault({ ratio: 1.5 }),
    status: 422,
    code: 'INVALID_INPUT',
    field: 'ratio',
    allowed: /1/,
  },
  {
    name: 'a TTL above the cap',
    method: 'POST',
    path: '/faults',
    body: fault({ ttlMs: 900_001 }),
    status: 422,
    code: 'INVALID_INPUT',
    field: 'ttlMs',
    allowed: /900000/,
  },
  {
    name: 'an unknown field',
    method: 'POST',
    path: '/faults',
    body: fault({ surprise: true }),
    status: 422,
    code: 'INVALID_INPUT',
    field: 'surprise',
  },
  {
    name: 'a missing field',
    method: 'POST',
    path: '/faults',
    body: '{"service":"redis"}',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'type',
  },
  {
    name: 'wrong JSON',
    method: 'POST',
    path: '/faults',
    body: '{"service":',
    status: 400,
    code: 'INVALID_JSON',
  },
  {
    name: 'a list for an object',
    method: 'POST',
    path: '/faults',
    body: '[]',
    status: 422,
    code: 'INVALID_INPUT',
  },
  {
    name: 'an oversized body',
    method: 'POST',
    path: '/faults',
    body: fault({ params: { text: 'x'.repeat(100_000) } }),
    status: 413,
    code: 'BODY_TOO_LARGE',
  },
  {
    name: 'a body that is not JSON',
    method: 'POST',
    path: '/faults',
    body: 'service=redis',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    name: 'an unknown preset',
    method: 'POST',
    path: '/presets/everything_down',
    body: '{}',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'name',
    allowed: /all_ai_services_down/,
  },
  { name: 'an unknown fault', method: 'DELETE', path: '/faults/nope', status: 404, code: 'FAULT_NOT_FOUND' },
  { name: 'an unknown route', method: 'GET', path: '/nope', status: 404, code: 'NOT_FOUND' },
  {
    name: 'a wrong method',
    method: 'PUT',
    path: '/faults',
    body: '{}',
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
  },
  {
    name: 'an unknown breaker',
    method: 'POST',
    path: '/breakers/nope/open',
    body: '{}',
    status: 404,
    code: 'BREAKER_NOT_FOUND',
  },
  {
    name: 'a resume without a reason',
    method: 'POST',
    path: '/resume',
    body: '{}',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'reason',
  },
  {
    name: 'a timeline from nowhere',
    method: 'GET',
    path: '/timeline?after=-1',
    status: 422,
    code: 'INVALID_INPUT',
    field: 'after',
  },
];

describe('bad input over REST', () => {
  it.each(REFUSALS)(
    '$name is refused with a stable code',
    async ({ method, path, body, headers, status, code, field, allowed }) => {
      const refusal = await send(method, path, body, headers);
      expect([refusal.status, refusal.problem.code]).toEqual([status, code]);
      expect(refusal.type).toContain('application/problem+json');
      if (field !== undefined) expect(refusal.problem.field).toBe(field);
      if (allowed !== undefined) expect(refusal.problem.allowed).toMatch(allowed);
      expect((await system.state()).faults).toEqual([]);
    },
  );

  it('a preset of which one fault exists already is not half applied', async () => {
    const held = await system.startFault('nemotron', 'unavailable');
    const refused = await send('POST', '/presets/all_ai_services_down', '{}');
    expect([refused.status, refused.problem.code]).toEqual([409, 'FAULT_EXISTS']);
    expect((await system.state()).faults.map((each) => each.id)).toEqual([held.id]);
    await system.stopFault(held.id);
  });

  it('a change of an old version is refused', async () => {
    const started = await system.startFault('nemotron', 'latency');
    const patch = (version: number) =>
      send('PATCH', `/faults/${started.id}`, '{"params":{"latencyMs":50}}', {
        ...JSON_TYPE,
        'if-match': `"${version}"`,
      });
    expect((await patch(started.version)).status).toBe(200);
    const stale = await patch(started.version);
    expect([stale.status, stale.problem.code]).toEqual([412, 'STALE_VERSION']);
    await system.stopFault(started.id);
  });

  it('every refusal is described in the OpenAPI document', async () => {
    const { body } = await system.api<{ openapi: string; paths: Record<string, unknown> }>(
      'GET',
      '/openapi.json',
    );
    expect(body.openapi).toMatch(/^3\./);
    for (const path of ['/faults', '/faults/{id}', '/halt', '/resume', '/state', '/timeline', '/catalogue']) {
      expect(
        Object.keys(body.paths).some((known) => known.endsWith(path)),
        path,
      ).toBe(true);
    }
  });
});

describe('rubbish on a socket', () => {
  it('is answered with an error, and the server goes on', async () => {
    const socket = io(`${system.url}/console`, {
      transports: ['websocket'],
      auth: { name: 'Fuzz', tabId: 'fuzz-tab' },
      reconnection: false,
    });
    await new Promise<void>((resolve, reject) => {
      socket.on('connect', resolve);
      socket.on('connect_error', reject);
    });
    for (const rubbish of [
      null,
      7,
      'text',
      [],
      {},
      { service: {} },
      { service: 'redis', type: 'latency', ratio: 'x' },
    ]) {
      const answer = await socket.timeout(15_000).emitWithAck('fault:start', rubbish);
      expect(answer.ok, JSON.stringify(rubbish)).toBe(false);
      expect(answer.error.code).toBe('INVALID_INPUT');
    }
    socket.emit('fault:start');
    socket.emit('no:such:event', { a: 1 }, 'x');
    socket.emit('halt:start', 'not a function as acknowledgement', 'x');
    socket.emit('lease', Buffer.alloc(1000));
    const still = await socket.timeout(15_000).emitWithAck('note:add', { text: 'still here' });
    expect(still.ok).toBe(true);
    socket.close();
    await until('it is well', 10_000, async () => (await system.api('GET', '/health')).status === 200);
    expect((await system.state()).faults).toEqual([]);
  });

  it('is refused without an identity', async () => {
    const socket = io(`${system.url}/console`, {
      transports: ['websocket'],
      auth: { name: 7 },
      reconnection: false,
    });
    const error = await new Promise<Error>((resolve) => socket.on('connect_error', resolve));
    expect(error.message.length).toBeGreaterThan(0);
    socket.close();
  });

  it('an agent without the secret is not admitted', async () => {
    const socket = io(`${system.url}/agent`, {
      transports: ['websocket'],
      auth: { secret: 'guessed', name: 'proxy', pid: 1, instanceId: 'x' },
      reconnection: false,
    });
    const admitted = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true));
      socket.on('connect_error', () => resolve(false));
    });
    expect(admitted).toBe(false);
    socket.close();
  });
});

describe('a page from another origin', () => {
  it('cannot toggle a fault by fetch, form or socket', async () => {
    const stranger = createServer((_request, answer) => {
      answer.setHeader('content-type', 'text/html');
      answer.end(`<!doctype html><title>stranger</title>
        <form id="form" method="post" enctype="text/plain" action="${system.url}/api/v1/faults" target="sink">
          <input name='{"service":"redis","type":"latency","x":"' value='"}'></form>
        <form id="halt" method="post" action="${system.url}/halt" target="sink"></form><iframe name="sink"></iframe>`);
    });
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const { port } = stranger.address() as AddressInfo;
    const page = await browser.context.newPage();
    await page.goto(`http://127.0.0.1:${port}/`);
    const outcome = await page.evaluate(async (url) => {
      const body = JSON.stringify({ service: 'redis', type: 'latency' });
      const attempt = (init: RequestInit) =>
        fetch(`${url}/api/v1/faults`, { method: 'POST', body, ...init }).then(
          (answer) => `${answer.type} ${answer.status}`,
          () => 'refused',
        );
      const byFetch = await attempt({ headers: { 'content-type': 'application/json' } });
      const byOpaqueFetch = await attempt({ mode: 'no-cors', headers: { 'content-type': 'text/plain' } });
      (document.getElementById('form') as HTMLFormElement).submit();
      const bySocket = await new Promise<string>((resolve) => {
        const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
        socket.onopen = () => resolve('open');
        socket.onerror = () => resolve('refused');
      });
      return { byFetch, byOpaqueFetch, bySocket };
    }, system.url);
    expect(outcome.byFetch).toBe('refused');
    expect(outcome.byOpaqueFetch).toBe('opaque 0');
    expect(outcome.bySocket).toBe('refused');
    await page.frameLocator('iframe').locator('body').waitFor();
    await page.evaluate(() => (document.getElementById('halt') as HTMLFormElement).submit());
    await until('the form was answered', 15_000, () =>
      page.frames().some((frame) => frame.url().endsWith('/halt')),
    );
    const state = await system.state();
    expect(state.faults).toEqual([]);
    expect(state.halted).toBeNull();
    await page.close();
    stranger.closeAllConnections();
    await new Promise((resolve) => stranger.close(resolve));
  });
});
