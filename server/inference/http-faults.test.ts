import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { FAULT_HEADER, faultMark } from '#lib/chaos/faults/fault.ts';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { createLogger } from '../logging.ts';
import { inferenceProfile } from './inference-profile.ts';
import { type InferenceServices, startInferenceServices } from './inference-services.ts';

let services: InferenceServices;
let harness: ProxyHarness;
let yolo26: string;
let nemotron: string;
let modelsDir: string;

beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'brownout-models-'));
  services = await startInferenceServices({
    profile: inferenceProfile('game-day'),
    logger: createLogger('test', 'silent'),
    yolo26: { host: '127.0.0.1', port: 0 },
    nemotron: { host: '127.0.0.1', port: 0 },
    uploadLimits: { fileBytes: 2 ** 20, files: 10 },
    onAfterEffect: () => {},
    modelsDir,
  });
  harness = startProxyHarness();
  const open = async (service: 'yolo26' | 'nemotron') =>
    `http://127.0.0.1:${(await harness.open(service, { host: '127.0.0.1', port: services.ports[service] })).port}`;
  yolo26 = await open('yolo26');
  nemotron = await open('nemotron');
});
afterEach(() => harness.endAll());
afterAll(async () => {
  await harness.close();
  await services.close();
  await rm(modelsDir, { recursive: true, force: true });
});

const complete = () =>
  fetch(`${nemotron}/completion`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'Objects: 2 × person' }),
  });

async function detect(numbers: readonly number[], path = '/detect/batch'): Promise<Response> {
  const form = new FormData();
  for (const number of numbers) {
    const url = new URL(`../../tests/fixtures/camera-frames/courtyard-0${number}.jpg`, import.meta.url);
    form.append(path === '/detect' ? 'file' : 'files', new Blob([await readFile(url)]), 'frame.jpg');
    form.append('camera_id', 'cam');
  }
  return fetch(`${yolo26}${path}`, { method: 'POST', body: form });
}

interface Item {
  index: number;
  error?: { code: string; message: string };
  status?: number;
  detections?: unknown[];
}
const itemsOf = async (response: Response) => ((await response.json()) as { results: Item[] }).results;

describe('rate_limited', () => {
  it('answers completions 429 with Retry-After in whole seconds, until its TTL; health checks pass', async () => {
    const id = await harness.arm('nemotron', 'rate_limited', { params: { retryAfterMs: 2500 }, ttlMs: 800 });
    const limited = await complete();
    expect(limited.status).toBe(429);
    expect(limited.headers.get('retry-after')).toBe('3');
    expect(limited.headers.get(FAULT_HEADER)).toBe(id);
    expect(await limited.json()).toMatchObject({ error: { code: 429, fault: id } });
    expect((await fetch(`${nemotron}/health`)).status).toBe(200);
    expect(harness.injector.activity()[0]).toMatchObject({ hits: 1, hitsByKind: { 'POST /completion': 1 } });
    await vi.waitFor(() => expect(harness.injector.all()).toEqual([]), 3000);
    expect((await complete()).status).toBe(200);
  });
});

describe('partial_batch', () => {
  it('fails some items of a batch with 207 and leaves the others as the detector found them', async () => {
    const id = await harness.arm('yolo26', 'partial_batch', { params: { items: 2 } });
    const partial = await detect([14, 15, 16]);
    expect(partial.status).toBe(207);
    expect(partial.headers.get(FAULT_HEADER)).toBe(id);
    const items = await itemsOf(partial);
    expect(items.map((item) => item.index)).toEqual([0, 1, 2]);
    const failed = items.filter((item) => item.error);
    expect(failed).toHaveLength(2);
    expect(failed[0]).toMatchObject({ status: 500, error: { code: 'INJECTED' } });
    expect(failed[0]?.error?.message).toContain(faultMark(id));
    expect(items.find((item) => !item.error)?.detections).toBeInstanceOf(Array);
    expect((await detect([14], '/detect')).status).toBe(200);
    expect(harness.injector.activity()[0]).toMatchObject({ hits: 1, seen: 1 });
    await harness.end(id);
    const whole = await detect([14, 15, 16]);
    expect(whole.status).toBe(200);
    expect((await itemsOf(whole)).filter((item) => item.error)).toEqual([]);
  });

  it('picks the same items for the same seed', async () => {
    const failing = async () => {
      const id = await harness.arm('yolo26', 'partial_batch', { seed: 3 });
      const chosen: number[] = [];
      for (let n = 0; n < 4; n++) {
        for (const item of await itemsOf(await detect([14, 15, 16]))) if (item.error) chosen.push(item.index);
      }
      await harness.end(id);
      return chosen;
    };
    const first = await failing();
    expect(first).toHaveLength(4);
    expect(await failing()).toEqual(first);
  });
});
