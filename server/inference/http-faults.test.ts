import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ProxyHarness, startProxyHarness } from '#tests/support/proxy-harness.ts';
import { createLogger } from '../logging.ts';
import { inferenceProfile } from './inference-profile.ts';
import { type InferenceServices, startInferenceServices } from './inference-services.ts';

let services: InferenceServices;
let harness: ProxyHarness;
let yolo26: string;
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
  const proxy = await harness.open('yolo26', { host: '127.0.0.1', port: services.ports.yolo26 });
  yolo26 = `http://127.0.0.1:${proxy.port}`;
});
afterEach(() => harness.endAll());
afterAll(async () => {
  await harness.close();
  await services.close();
  await rm(modelsDir, { recursive: true, force: true });
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
}
const itemsOf = async (response: Response) => ((await response.json()) as { results: Item[] }).results;

describe('partial_batch', () => {
  it('leaves single detections alone and does not count them', async () => {
    await harness.arm('yolo26', 'partial_batch');
    expect((await detect([14], '/detect')).status).toBe(200);
    expect(harness.injector.activity()[0]).toMatchObject({ hits: 0, seen: 0 });
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
