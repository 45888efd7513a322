import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FAULT_HEADER } from '#lib/chaos/faults/fault.ts';
import { Detector, type Frame } from './detector.ts';
import { httpCall } from './http-call.ts';
import { LanguageModel } from './language-model.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(listener: RequestListener): Promise<{ host: string; port: number; connectMs: number }> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port: (started.address() as AddressInfo).port, connectMs: 3000 };
}

const answerWith =
  (status: number, body: unknown, headers: Record<string, string> = {}): RequestListener =>
  (request, response) => {
    request.resume();
    request.on('end', () => {
      response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  };

const RESULT = {
  detections: [{ class: 'person', confidence: 0.5, bbox: { x: 1, y: 2, width: 3, height: 4 } }],
  inference_time_ms: 12.5,
  image_width: 640,
  image_height: 480,
};
const frame = (id: string): Frame => ({
  id,
  camera: 'cam-01',
  name: `${id}.jpg`,
  traceId: `trace-${id}`,
  capturedAt: 1000,
  bytes: Buffer.from(id),
});

describe('httpCall', () => {
  it('replaces a kept-alive connection that the server has closed', async () => {
    let calls = 0;
    const address = await serve((request, response) => {
      calls++;
      request.resume();
      if (calls === 2) request.socket.destroy();
      else response.end('ok');
    });
    const call = { ...address, method: 'GET', path: '/', timeoutMs: 5000 } as const;
    await httpCall(call);
    expect((await httpCall(call)).body).toBe('ok');
    expect(calls).toBe(3);
  });

  it('tells a connection that was reset on its first use', async () => {
    const address = await serve((request) => request.socket.resetAndDestroy());
    const call = httpCall({ ...address, method: 'GET', path: '/', timeoutMs: 5000 });
    await expect(call).rejects.toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('Detector', () => {
  it('sends one frame to /detect with its camera and time', async () => {
    let seen = '';
    const address = await serve((request, response) => {
      seen += `x-trace-id: ${request.headers['x-trace-id']}\n`;
      request.on('data', (chunk: Buffer) => {
        seen += chunk.toString('latin1');
      });
      request.on('end', () => response.end(JSON.stringify({ ...RESULT, warming_up: true })));
    });
    const [outcome] = await new Detector(address).detect([frame('a')], 5000);
    expect(outcome).toMatchObject({ ok: true, result: { warmingUp: true, imageWidth: 640 } });
    expect(seen).toContain('name="file"; filename="a.jpg"');
    expect(seen).toContain('x-trace-id: trace-a\n');
    expect(seen).toContain('name="camera_id"\r\n\r\ncam-01');
    expect(seen).toContain('name="captured_at"\r\n\r\n1970-01-01T00:00:01.000Z');
  });

  it('reads each item of a 207 on its own', async () => {
    const failed = { index: 1, error: { code: 'UNDECODABLE_IMAGE', message: 'no' }, status: 400 };
    const address = await serve(answerWith(207, { results: [RESULT, failed] }));
    expect(await new Detector(address).detect([frame('a'), frame('b')], 5000)).toMatchObject([
      { ok: true },
      { ok: false, status: 400, code: 'UNDECODABLE_IMAGE' },
    ]);
  });

  it('raises its own error when no answer comes in time', async () => {
    const address = await serve(() => {});
    const call = new Detector(address).detect([frame('a')], 100);
    await expect(call).rejects.toMatchObject({ name: 'DetectorUnavailableError', code: 'DEADLINE_EXCEEDED' });
  });

  it('tells status, fault and Retry-After of a refused call', async () => {
    const address = await serve(answerWith(503, 'busy', { [FAULT_HEADER]: 'f1', 'retry-after': '5' }));
    await expect(new Detector(address).detect([frame('a')], 5000)).rejects.toMatchObject({
      name: 'DetectorUnavailableError',
      reason: 'server_error',
      cause: { status: 503, faultId: 'f1', retryAfterMs: 5000, body: 'busy' },
    });
  });

  it.each([
    ['no JSON', 'oops'],
    ['too few results', { results: [RESULT] }],
    ['a wrong result', { results: [RESULT, { detections: 'many' }] }],
  ])('calls %s malformed', async (_, body) => {
    const address = await serve(answerWith(200, body));
    const call = new Detector(address).detect([frame('a'), frame('b')], 5000);
    await expect(call).rejects.toMatchObject({ code: 'MALFORMED' });
  });
});

describe('LanguageModel', () => {
  it('reads the score out of the content', async () => {
    const address = await serve(answerWith(200, { content: 'Well:\n{"risk_score": 61, "summary": "s"}' }));
    expect(await new LanguageModel(address).analyse('prompt', 5000, 'trace')).toMatchObject({
      riskScore: 61,
      riskLevel: 'high',
    });
  });

  it.each([
    ['no JSON', 'x'],
    ['no content', {}],
    ['no score', { content: '{"summary": "s"}' }],
  ])('calls %s malformed, with the fault that made it', async (_, body) => {
    const address = await serve(answerWith(200, body, { [FAULT_HEADER]: 'f2' }));
    const call = new LanguageModel(address).analyse('prompt', 5000, 'trace');
    await expect(call).rejects.toMatchObject({ code: 'MALFORMED', faultId: 'f2' });
  });
});
