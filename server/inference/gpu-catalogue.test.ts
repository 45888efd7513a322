import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FAULT_HEADER } from '#lib/chaos/faults/fault.ts';
import {
  arm,
  detect,
  detectBatch,
  endAll,
  expectHealthy,
  expectRefused,
  type Fixture,
  frame,
  health,
  start,
  startFast,
} from './inference-fixture.ts';

afterEach(endAll);

const PATIENT = { timeout: 8000, interval: 5 };

const hitsOf = (fixture: Fixture, id: string) =>
  fixture.services.injector.activity().find((activity) => activity.id === id)?.hits;
const restarts = (fixture: Fixture) => fixture.services.host.status().restarts;

/** Every detection is clean again: on the card, at full speed, without a mark. */
async function expectClean(fixture: Fixture): Promise<void> {
  await expectHealthy(fixture.yolo26);
  await expectHealthy(fixture.nemotron);
  const response = await detect(fixture);
  expect(response.status).toBe(200);
  expect(response.headers.get(FAULT_HEADER)).toBeNull();
  expect(await response.json()).toMatchObject({ device: 'cuda', inference_time_ms: 40 });
}

describe('driver_crash', () => {
  it('crash_loop: each restart is followed by the next crash, counted', async () => {
    const fixture = await startFast();
    const id = await arm(fixture, 'driver_crash', { mode: 'crash_loop' });
    const xids = () => fixture.services.host.status().xids.length;
    await vi.waitFor(async () => {
      await detect(fixture);
      expect(xids()).toBeGreaterThanOrEqual(3);
    }, PATIENT);
    expect(restarts(fixture)).toBeGreaterThanOrEqual(4);
    await fixture.services.injector.end(id, 'stopped');
    await expectClean(fixture);
  });
});

describe('context_corruption', () => {
  it('fails every call of that model until it has restarted, again and again, with back-off', async () => {
    const fixture = await startFast();
    const { host, injector } = fixture.services;
    const id = await arm(fixture, 'context_corruption');
    const failed = await detect(fixture);
    expect(failed.status).toBe(500);
    await expectRefused(failed, 'CUDA_ERROR', id);
    await expectRefused(await detect(fixture), 'CUDA_ERROR', id);
    expect((await health(fixture.yolo26)).status).toBe(503);
    expect(host.runtimes.nemotron.context?.corrupted).toBe(false); // a context of its own
    const restartedAt: number[] = [];
    await vi.waitFor(async () => {
      await detect(fixture);
      const { restarts: count } = host.runtimes.yolo26;
      if (count > restartedAt.length) restartedAt.push(fixture.clock.monotonicMs());
      expect(restartedAt.length).toBe(3);
    }, PATIENT);
    const [first = 0, second = 0, third = 0] = restartedAt;
    expect(second - first).toBeGreaterThanOrEqual(2000); // 2 s of back-off, then 3
    expect(third - second).toBeGreaterThanOrEqual(3000);
    expect(hitsOf(fixture, id)).toBeGreaterThan(3);
    await injector.end(id, 'stopped');
    await expectClean(fixture);
    expect(host.runtimes.nemotron.restarts).toBe(0);
  });

  it('with a ratio of 0 spoils nothing', async () => {
    const fixture = await startFast();
    const id = await arm(fixture, 'context_corruption', {}, 0);
    expect((await detect(fixture)).headers.get(FAULT_HEADER)).toBeNull();
    expect(hitsOf(fixture, id)).toBe(0);
  });
});

describe('model_corrupted', () => {
  const yolo26File = ({ modelsDir }: Fixture) => readFile(join(modelsDir, 'yolo26.model'));
  const storeFile = ({ modelsDir }: Fixture) => readFile(join(modelsDir, 'store', 'yolo26.model'));

  it('heals by itself at once while the store is there', async () => {
    const fixture = await startFast();
    const id = await arm(fixture, 'model_corrupted', { storeDown: false });
    await expectRefused(await detect(fixture), 'MODEL_CORRUPTED', id);
    await expectClean(fixture);
    expect(fixture.services.host.files.fetched).toBe(1);
    expect(await yolo26File(fixture)).toEqual(await storeFile(fixture));
  });

  it('holds on the CPU too', async () => {
    const fixture = await startFast();
    await arm(fixture, 'no_gpu');
    const id = await arm(fixture, 'model_corrupted');
    await expectRefused(await detect(fixture), 'MODEL_CORRUPTED', id);
    await fixture.services.injector.end(id, 'stopped');
    await vi.waitFor(
      async () => expect(await (await detect(fixture)).json()).toMatchObject({ device: 'cpu' }),
      PATIENT,
    );
    await fixture.services.injector.endAll('stopped');
    await expectClean(fixture);
  });

  it('a file damaged by somebody else is found at the next load, and not called ours', async () => {
    const fixture = await startFast();
    const path = join(fixture.modelsDir, 'yolo26.model');
    await writeFile(path, 'rubbish');
    const id = await arm(fixture, 'driver_crash');
    await fixture.services.injector.end(id, 'stopped');
    await expectClean(fixture);
    expect(fixture.services.host.files.fetched).toBe(1);
    expect(await yolo26File(fixture)).toEqual(await storeFile(fixture));
  });
});

describe('inference_timeout', () => {
  it('lets go of the card when it ends', async () => {
    const fixture = await start();
    const id = await arm(fixture, 'inference_timeout', { deadlineMs: 60_000 });
    const held = detect(fixture);
    await vi.waitFor(() => expect(fixture.services.host.device.kernelAgeMs).toBeGreaterThan(0), PATIENT);
    await fixture.services.injector.end(id, 'stopped');
    expect((await held).status).toBe(504);
    expect((await detect(fixture)).status).toBe(200);
  });
});

describe('no_gpu', () => {
  it('together with connection_error: the card is there when both have ended', async () => {
    const fixture = await startFast();
    const id = await arm(fixture, 'no_gpu');
    await arm(fixture, 'connection_error');
    await fixture.services.injector.end(id, 'stopped');
    expect(await (await detect(fixture)).json()).toMatchObject({ device: 'cpu' });
    await fixture.services.injector.endAll('stopped');
    await expectClean(fixture);
  });
});

describe('vram_fragmentation', () => {
  it('takes what a batch in hand gives back, and leaves nothing behind', async () => {
    const fixture = await startFast();
    const { host, injector } = fixture.services;
    const { device } = host;
    const freeBefore = device.memory.freeBytes;
    const busy = Promise.all([14, 15, 16, 17].map(frame)).then((frames) => detectBatch(fixture, frames));
    await vi.waitFor(() => expect(device.kernelAgeMs).toBeGreaterThan(0), { timeout: 5000, interval: 1 });
    const id = await arm(fixture, 'vram_fragmentation', { targetFreeMib: 100 });
    expect((await busy).status).toBe(200);
    await vi.waitFor(async () => expectRefused(await detect(fixture), 'OUT_OF_MEMORY', id), PATIENT);
    await injector.end(id, 'stopped');
    host.emptyCaches();
    expect(device.memory.freeBytes).toBe(freeBefore);
  });

  it('is gone with the process that was fragmented', async () => {
    const fixture = await startFast();
    const id = await arm(fixture, 'vram_fragmentation');
    const crash = await arm(fixture, 'driver_crash');
    await fixture.services.injector.end(crash, 'stopped');
    await expectClean(fixture);
    await fixture.services.injector.end(id, 'stopped');
    await expectClean(fixture);
  });

  it('a leak, too, ends with the process that leaked: nothing is taken for a process that is gone', async () => {
    const fixture = await startFast();
    const { memory } = fixture.services.host.device;
    const freeBefore = memory.freeBytes;
    await arm(fixture, 'vram_exhaustion', { mode: 'leak', rateMibPerSecond: 5000, targetFreeMib: 0 });
    await vi.waitFor(() => expect(memory.freeBytes).toBeLessThan(freeBefore / 2), PATIENT);
    const crash = await arm(fixture, 'driver_crash');
    await fixture.services.injector.end(crash, 'stopped');
    await expectHealthy(fixture.nemotron);
    fixture.clock.advance(10_000);
    expect(memory.freeBytes).toBe(freeBefore);
  });
});
