import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import { DeadLetterStore } from '#lib/chaos/dead-letters/dead-letter-store.ts';
import type { FallbackJob } from '#lib/chaos/fallback/fallback-job.ts';
import { DeadLetterDesk } from './dead-letter-desk.ts';

let folder: string;
const stores: DeadLetterStore[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'brownout-desk-'));
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await rm(folder, { recursive: true, force: true });
});

async function makeDesk() {
  const clock = new ManualClock();
  const store = await DeadLetterStore.open(folder, { clock });
  stores.push(store);
  const queued: FallbackJob<unknown>[] = [];
  const resubmitted: string[] = [];
  const health = { well: true };
  const desk = new DeadLetterDesk({
    store,
    intake: () => ({ resubmit: async (id) => void resubmitted.push(id) }),
    enqueue: async (job) => void queued.push(job),
    isWell: () => health.well,
    faultIds: () => ['f1'],
    clock,
    logger: pino({ level: 'silent' }),
  });
  return { clock, store, queued, resubmitted, health, desk };
}

const job = (id: string): FallbackJob<unknown> => ({
  id,
  type: 'detection',
  payload: { camera: 'cam-01' },
  traceId: `trace-${id}`,
  enqueuedAt: 1,
  attempts: 4,
});
const failure = (uploadId: string, retryable: boolean) => ({
  queue: 'detection',
  uploadId,
  error: Object.assign(new Error('answered 500'), { code: 'HTTP_STATUS' }),
  retryable,
});

describe('DeadLetterDesk', () => {
  it('keeps a job with its error, its attempts and the faults in force', async () => {
    const { desk, store } = await makeDesk();
    await desk.writeJob(job('u1'), failure('u1', false));
    const { items } = store.list({ limit: 10 });
    expect(items).toMatchObject([
      {
        queue: 'detection',
        uploadId: 'u1',
        attempts: 5,
        faultIds: ['f1'],
        traceId: 'trace-u1',
        error: { code: 'HTTP_STATUS' },
      },
    ]);
    await desk.close();
  });

  it('gives a job back with its attempts forgotten, once', async () => {
    const { desk, store, queued } = await makeDesk();
    await desk.writeJob(job('u1'), failure('u1', false));
    const id = store.list({ limit: 1 }).items[0]?.id ?? '';
    expect(await desk.redrive(id)).toBe(true);
    expect(queued).toMatchObject([{ id: 'u1', attempts: 0 }]);
    expect(await desk.redrive(id)).toBe(false);
    await desk.close();
  });

  it('submits a quarantined upload again', async () => {
    const { desk, store, resubmitted } = await makeDesk();
    await desk.writeUpload({
      key: 'a',
      queue: 'upload',
      code: 'CORRUPT',
      message: 'x',
      uploadId: 'u1',
      camera: 'c',
      name: 'n',
      traceId: 't',
    });
    expect(await desk.redrive(store.list({ limit: 1 }).items[0]?.id ?? '')).toBe(true);
    expect(resubmitted).toEqual(['u1']);
    await desk.close();
  });

  it('re-drives by itself what may have passed, once its service is well, with growing pauses', async () => {
    const { desk, clock, queued, health } = await makeDesk();
    await desk.writeJob(job('passing'), failure('passing', true));
    await desk.writeJob(job('final'), failure('final', false));
    desk.start();
    /** Lets a look at the letters happen and end. */
    const look = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 50) {
        clock.advance(50);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    health.well = false;
    await look(12_000);
    expect(queued).toEqual([]);
    health.well = true;
    await vi.waitFor(async () => {
      await look(500);
      expect(queued.map(({ id }) => id)).toEqual(['passing']);
    });
    await desk.close();
  });

  it('forgets the letter of an upload that was stored after all', async () => {
    const { desk, store } = await makeDesk();
    await desk.writeJob(job('u1'), failure('u1', true));
    await desk.resolveUpload('u1');
    expect(store.size).toBe(0);
    await desk.close();
  });
});
