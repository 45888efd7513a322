import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { FAULT_HEADER } from '../../faults/fault.ts';
import type { ServiceProxy } from '../service-proxy.ts';

let server: Server;
let harness: ProxyHarness;
let proxy: ServiceProxy;
let agent: Agent;
const seen: { url: string; body: string }[] = [];

const COMPLETION = { content: 'Thinking.\n{"risk_score": 42, "risk_level": "medium", "summary": "a dog"}' };
const DETECTIONS = { detections: [{ class: 'dog', confidence: 0.9 }] };

beforeAll(async () => {
  server = createServer((incoming, response) => {
    let body = '';
    incoming.on('data', (part) => {
      body += part;
    });
    incoming.on('end', () => {
      seen.push({ url: incoming.url ?? '', body });
      answer(incoming.url, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  harness = startProxyHarness();
  const { port } = server.address() as AddressInfo;
  proxy = await harness.open('nemotron', { host: '127.0.0.1', port });
});
afterEach(async () => {
  await harness.endAll();
  agent?.destroy();
  seen.length = 0;
  await vi.waitFor(() => expect(proxy.connections).toBe(0), 8000);
});
afterAll(async () => {
  await harness.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function answer(url: string | undefined, response: ServerResponse): void {
  if (url === '/chunked') {
    for (const part of ['one ', 'two ', 'three']) response.write(part);
    response.end();
  } else if (url === '/slow') {
    setTimeout(() => response.end('slow'), 200);
  } else if (url === '/never') {
    // Whoever asks has to give up, or be cut.
  } else {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(url === '/detect' ? DETECTIONS : COMPLETION));
  }
}

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
  /** Local port of the client: the same on a kept connection. */
  from: number;
}

function call(path: string, options: { body?: string; chunked?: boolean } = {}): Promise<Answer> {
  agent ??= new Agent();
  return new Promise((resolve, reject) => {
    const method = options.body === undefined ? 'GET' : 'POST';
    const outgoing = request({ host: '127.0.0.1', port: proxy.port, path, method, agent });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const from = response.socket.localPort ?? 0;
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        body += part;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, from }),
      );
    });
    if (options.chunked) outgoing.write(options.body);
    outgoing.end(options.chunked ? '' : options.body);
  });
}

const keptAlive = () => {
  agent = new Agent({ keepAlive: true, maxSockets: 1 });
};

describe('HttpSession', () => {
  it('passes requests and answers of both framings over one kept connection', async () => {
    keptAlive();
    const large = 'x'.repeat(2_000_000);
    const first = await call('/completion', { body: large });
    expect(first).toMatchObject({ status: 200, body: JSON.stringify(COMPLETION) });
    const second = await call('/chunked', { body: 'in chunks', chunked: true });
    expect(second).toMatchObject({ body: 'one two three', from: first.from });
    expect(seen.map(({ body }) => body)).toEqual([large, 'in chunks']);
    expect(proxy.traffic.totals.requests).toBe(2);
  });

  it('answers for the server without calling it, and keeps the connection', async () => {
    keptAlive();
    const before = await call('/completion', { body: '{}' });
    const id = await harness.arm('nemotron', 'server_error', { params: { status: 503 } });
    const hit = await call('/completion', { body: 'never arrives', chunked: true });
    expect(hit).toMatchObject({ status: 503, from: before.from });
    expect(hit.headers[FAULT_HEADER]).toBe(id);
    expect(JSON.parse(hit.body).error.fault).toBe(id);
    await harness.end(id);
    const after = await call('/completion', { body: '{}' });
    expect(after).toMatchObject({ status: 200, from: before.from });
    expect(after.headers[FAULT_HEADER]).toBeUndefined();
    expect(seen.map(({ body }) => body)).toEqual(['{}', '{}']);
  });

  it('hits only the matching route and counts it by route', async () => {
    keptAlive();
    await harness.arm('nemotron', 'server_error', { match: { route: '/completion' } });
    expect((await call('/health')).status).toBe(200);
    expect((await call('/completion', { body: '{}' })).status).toBe(500);
    expect(harness.injector.activity()[0]).toMatchObject({ hits: 1, hitsByKind: { 'POST /completion': 1 } });
  });

  it('fails the same requests under the same seed, whatever health checks come between', async () => {
    keptAlive();
    const run = async (healthChecks: boolean) => {
      const id = await harness.arm('nemotron', 'intermittent', { seed: 11 });
      const statuses: number[] = [];
      for (let n = 0; n < 40; n++) {
        if (healthChecks) await call('/health');
        statuses.push((await call('/completion', { body: '{}' })).status);
      }
      await harness.end(id);
      return statuses;
    };
    const first = await run(false);
    expect(first.filter((status) => status === 500).length).toBeGreaterThan(8);
    expect(first.filter((status) => status === 200).length).toBeGreaterThan(8);
    expect(await run(true)).toEqual(first);
  });

  it('delays each request, and pipelined ones in order', async () => {
    keptAlive();
    await harness.arm('nemotron', 'latency', { params: { latencyMs: 150 } });
    const startedAt = performance.now();
    await call('/completion', { body: '{}' });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(145);
    await harness.endAll();
    const text = await raw(
      'GET /chunked HTTP/1.1\r\nhost: x\r\n\r\nGET /slow HTTP/1.1\r\nhost: x\r\n\r\n',
      'slow',
    );
    expect(text.indexOf('three')).toBeLessThan(text.indexOf('slow'));
  });

  it('holds requests, closes them after the delay, and resets them when the fault ends', async () => {
    keptAlive();
    await harness.arm('nemotron', 'timeout', { params: { delayMs: 150 } });
    const startedAt = performance.now();
    await expect(call('/completion', { body: '{}' })).rejects.toThrow(/socket hang up|ECONNRESET/);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(140);
    await harness.endAll();
    const id = await harness.arm('nemotron', 'timeout');
    const held = expect(call('/completion', { body: '{}' })).rejects.toThrow(/ECONNRESET|hang up/);
    await vi.waitFor(() => expect(harness.injector.activity()[0]?.hits).toBe(1), 5000);
    await harness.end(id);
    await held;
    expect(seen).toEqual([]);
    expect((await call('/completion', { body: '{}' })).status).toBe(200);
  });

  it('does not let the server see a request that its client gave up under latency', async () => {
    await harness.arm('nemotron', 'latency', { params: { latencyMs: 10_000 } });
    const before = proxy.traffic.totals.bytes;
    const socket = connect(proxy.port, '127.0.0.1');
    socket.write('GET /given-up HTTP/1.1\r\nhost: x\r\n\r\n');
    await vi.waitFor(() => expect(proxy.traffic.totals.bytes).toBeGreaterThan(before), 5000);
    socket.resetAndDestroy();
    await vi.waitFor(() => expect(proxy.connections).toBe(0), 5000);
    await harness.endAll();
    expect(seen).toEqual([]);
  });

  it('lets the answer in flight finish, then closes and refuses under connection_error', async () => {
    keptAlive();
    const running = call('/slow');
    await vi.waitFor(() => expect(seen).toHaveLength(1), 5000);
    const id = await harness.arm('nemotron', 'connection_error');
    expect((await running).body).toBe('slow');
    await vi.waitFor(() => expect(proxy.connections).toBe(0), 5000);
    await expect(call('/completion', { body: '{}' })).rejects.toThrow(/ECONNREFUSED/);
    await harness.end(id);
    expect((await call('/completion', { body: '{}' })).status).toBe(200);
  });

  it('resets what is open and refuses the rest when unavailable', async () => {
    keptAlive();
    const running = expect(call('/never')).rejects.toThrow(/ECONNRESET|hang up/);
    await vi.waitFor(() => expect(seen).toHaveLength(1), 5000);
    const id = await harness.arm('nemotron', 'unavailable');
    await running;
    await expect(call('/health')).rejects.toThrow(/ECONNREFUSED/);
    await harness.end(id);
    expect((await call('/health')).status).toBe(200);
  });

  it('resets a share of the requests under packet loss', async () => {
    keptAlive();
    await harness.arm('network', 'packet_loss', { ratio: 0.5, seed: 5 });
    const outcomes: string[] = [];
    for (let n = 0; n < 20; n++) {
      outcomes.push(
        await call('/health').then(
          () => 'ok',
          (error: NodeJS.ErrnoException) => error.code ?? '',
        ),
      );
    }
    expect(new Set(outcomes)).toEqual(new Set(['ok', 'ECONNRESET']));
  });

  it.each([
    ['not_json', (body: string) => expect(() => JSON.parse(body)).toThrow()],
    ['truncated', (body: string) => expect(JSON.stringify(COMPLETION).startsWith(body)).toBe(true)],
    ['missing_score', (body: string) => expect(JSON.parse(body).content).not.toContain('risk_score')],
    [
      'score_out_of_range',
      (body: string) => expect(JSON.parse(body).content).toContain('"risk_score": 1000'),
    ],
  ])('spoils the answer: %s', async (mode, check) => {
    keptAlive();
    const id = await harness.arm('nemotron', 'malformed_response', { params: { mode } });
    const spoilt = await call('/completion', { body: '{}' });
    expect(spoilt).toMatchObject({ status: 200, headers: { [FAULT_HEADER]: id } });
    expect(spoilt.body).not.toBe(JSON.stringify(COMPLETION));
    check(spoilt.body);
    const detect = await call('/detect', { body: '{}' });
    expect(detect.body).not.toBe(JSON.stringify(DETECTIONS));
    expect(detect.from).toBe(spoilt.from);
    await harness.end(id);
    expect((await call('/completion', { body: '{}' })).body).toBe(JSON.stringify(COMPLETION));
  });

  it('dials again when the server hangs up on an idle connection while a request is delayed', async () => {
    keptAlive();
    const first = await call('/completion', { body: '{}' });
    await harness.arm('nemotron', 'latency', { params: { latencyMs: 200 } });
    const before = proxy.traffic.totals.requests;
    const delayed = call('/completion', { body: '{}' });
    await vi.waitFor(() => expect(proxy.traffic.totals.requests).toBe(before + 1), {
      timeout: 5000,
      interval: 5,
    });
    server.closeIdleConnections();
    expect(await delayed).toMatchObject({ status: 200, from: first.from });
  });

  it('delivers what came before the client closed its side', async () => {
    await harness.arm('nemotron', 'latency', { params: { latencyMs: 100 } });
    const text = await raw('GET /half HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 'risk', (socket) => {
      socket.end();
    });
    expect(text).toContain('200 OK');
  });

  it('degrades to TCP when the bytes are not HTTP, and says so', async () => {
    const id = await harness.arm('nemotron', 'server_error');
    const socket = connect(proxy.port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.resume();
    socket.write(Buffer.from([0x16, 0x03, 0x01, 0x00, 0x05]));
    await vi.waitFor(
      () => expect(harness.injector.activity()[0]?.warning).toBe('encrypted bytes: acting on TCP only'),
      5000,
    );
    socket.write('more');
    await closed;
    await harness.end(id);
  });

  it('survives every way of cutting a request into pieces', async () => {
    const text =
      'POST /cut HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n3;x=y\r\ntwo\r\n0\r\n\r\n';
    for (let cut = 1; cut < text.length; cut += 3) {
      const answer = await raw(text.slice(0, cut), '', (socket) => {
        socket.write(text.slice(cut));
      });
      expect(answer).toContain('200 OK');
    }
    expect(new Set(seen.map(({ body }) => body))).toEqual(new Set(['fourtwo']));
  });
});

/** Sends bytes, perhaps more after a moment, and gives what came back once `until` is in it. */
function raw(first: string, until: string, then?: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(proxy.port, '127.0.0.1');
    let text = '';
    socket.on('error', reject);
    socket.on('data', (part) => {
      text += part.toString();
      if (!text.includes('\r\n\r\n') || !text.includes(until)) return;
      socket.destroy();
      resolve(text);
    });
    socket.setNoDelay(true);
    socket.write(first, () => setImmediate(() => then?.(socket)));
  });
}
