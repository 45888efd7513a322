/** What the tests of the inference services share: both services on free ports, faults, calls. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import { FAULT_HEADER, faultMark } from '#lib/chaos/faults/fault.ts';
import { validateFault } from '#lib/chaos/faults/validate.ts';
import { createLogger } from '../logging.ts';
import { inferenceProfile } from './inference-profile.ts';
import {
  type InferenceServices,
  type InferenceServicesOptions,
  startInferenceServices,
} from './inference-services.ts';
import type { AfterEffect } from './restart-keeper.ts';

const stops: (() => Promise<void>)[] = [];
/** Ends everything that was started; for `afterEach`. */
export async function endAll(): Promise<void> {
  for (const stop of stops.splice(0)) await stop();
}

export interface Fixture {
  services: InferenceServices;
  effects: AfterEffect[];
  modelsDir: string;
  yolo26: string;
  nemotron: string;
  close(): Promise<void>;
}

export interface FastFixture extends Fixture {
  clock: ManualClock;
  /** Does calls while its clock stands: what they are to meet could be over before they have been sent. */
  still(work: () => Promise<void>): Promise<void>;
}

/** Registered to be ended by `endAll`. */
export async function start(clock?: ManualClock): Promise<Fixture> {
  const fixture = await open(clock && { clock });
  stops.push(() => fixture.close());
  return fixture;
}

/** Not registered: to be closed by who opened it. */
export async function open(
  options: Partial<Pick<InferenceServicesOptions, 'clock' | 'profile'>> = {},
): Promise<Fixture> {
  const effects: AfterEffect[] = [];
  const modelsDir = await mkdtemp(join(tmpdir(), 'brownout-models-'));
  const services = await startInferenceServices({
    profile: inferenceProfile('game-day'),
    modelsDir,
    logger: createLogger('test', 'silent'),
    yolo26: { host: '127.0.0.1', port: 0 },
    nemotron: { host: '127.0.0.1', port: 0 },
    uploadLimits: { fileBytes: 2 ** 20, files: 10 },
    ...options,
    onAfterEffect: (effect) => effects.push(effect),
  });
  const { ports } = services;
  return {
    services,
    effects,
    modelsDir,
    yolo26: `http://127.0.0.1:${ports.yolo26}`,
    nemotron: `http://127.0.0.1:${ports.nemotron}`,
    async close() {
      await services.close();
      await rm(modelsDir, { recursive: true, force: true });
    },
  };
}

/** Services on a clock that runs 20 times as fast as it should, so that heat and restarts take no test time. */
export async function startFast(): Promise<FastFixture> {
  const clock = new ManualClock();
  const fixture = await start(clock);
  let runs = true;
  const timer = setInterval(() => {
    if (runs) clock.advance(20);
  }, 1);
  stops.unshift(async () => clearInterval(timer));
  return {
    ...fixture,
    clock,
    async still(work) {
      runs = false;
      try {
        await work();
      } finally {
        runs = true;
      }
    },
  };
}

export async function arm(
  { services }: Fixture,
  type: string,
  params: object = {},
  ratio = 1,
): Promise<string> {
  const id = `f-${type}`;
  const fault = validateFault('gpu', type, params);
  await services.injector.arm({
    id,
    version: 1,
    service: 'gpu',
    type,
    params: fault.params,
    ratio,
    seed: 7,
    ttlMs: 900_000,
  });
  return id;
}

export async function frame(number: number): Promise<Blob> {
  const path = new URL(`../../tests/fixtures/camera-frames/courtyard-0${number}.jpg`, import.meta.url);
  return new Blob([await readFile(path)]);
}

export async function detect(
  { yolo26 }: Pick<Fixture, 'yolo26'>,
  number = 14,
  camera = 'cam',
): Promise<Response> {
  const form = new FormData();
  form.append('file', await frame(number), 'frame.jpg');
  form.append('camera_id', camera);
  form.append('captured_at', new Date(Date.UTC(2026, 0, 1, 12, 0, number)).toISOString());
  return fetch(`${yolo26}/detect`, { method: 'POST', body: form });
}

export async function detectBatch(
  { yolo26 }: Pick<Fixture, 'yolo26'>,
  blobs: readonly Blob[],
): Promise<Response> {
  const form = new FormData();
  for (const blob of blobs) {
    form.append('files', blob, 'frame.jpg');
    form.append('camera_id', 'cam');
    form.append('captured_at', '');
  }
  return fetch(`${yolo26}/detect/batch`, { method: 'POST', body: form });
}

export function complete(
  { nemotron }: Pick<Fixture, 'nemotron'>,
  body: object = { prompt: 'Objects: 2 × person' },
): Promise<Response> {
  return fetch(`${nemotron}/completion`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

export async function health(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${url}/health`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

export async function expectHealthy(url: string): Promise<void> {
  await vi.waitFor(async () => expect((await health(url)).body['status']).toBe('healthy'), {
    timeout: 10_000,
    interval: 20,
  });
}

export async function expectRefused(response: Response, code: string, faultId: string): Promise<void> {
  const body = (await response.json()) as { error: { code: string; message: string } };
  expect(body.error.code).toBe(code);
  expect(body.error.message).toContain(faultMark(faultId));
  expect(response.headers.get(FAULT_HEADER)).toBe(faultId);
}
