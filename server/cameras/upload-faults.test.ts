import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { validateFault } from '#lib/chaos/faults/validate.ts';
import { createLogger } from '../logging.ts';
import { type Bench, makeBench } from '../pipeline/intake/intake-fixture.ts';
import type { IntakeOptions } from '../pipeline/intake/intake-options.ts';
import type { AcceptedUpload } from './camera.ts';
import { type CameraFleet, createCameraFleet } from './camera-fleet.ts';

/** The real cameras against the real intake over FTP. */
const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const until = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 10_000, interval: 20 });

interface Running {
  bench: Bench;
  fleet: CameraFleet;
}

async function start(overrides: Partial<IntakeOptions> = {}, rate = 20): Promise<Running> {
  const bench = await makeBench(overrides);
  endings.push(() => bench.close());
  const fleet = await createCameraFleet({
    dataDir: bench.dataDir,
    ftp: { host: '127.0.0.1', port: bench.intake.ftpPort },
    count: 2,
    rate,
    profile: 'game-day',
    logger: createLogger('test', 'silent'),
    retryMs: 20,
    retryCapMs: 100,
  });
  endings.push(() => fleet.close());
  fleet.start();
  await until(async () => expect((await witness(bench)).length).toBeGreaterThan(2));
  return { bench, fleet };
}

async function arm({ fleet }: Running, type: string, params: object = {}, ttlMs = 60_000): Promise<string> {
  const id = `f-${type}`;
  await fleet.injector.arm({
    id,
    version: 1,
    service: 'ftp',
    type,
    params: validateFault('ftp', type, params).params,
    ratio: 1,
    seed: 3,
    ttlMs,
  });
  return id;
}

async function witness({ dataDir }: Bench): Promise<AcceptedUpload[]> {
  const text = await readFile(join(dataDir, 'cameras', 'accepted.jsonl'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** After the end: new frames get through undisturbed, no frame was left out, and every accepted upload has a home. */
async function expectAllAccounted({ bench, fleet }: Running): Promise<void> {
  const { intake, sink } = bench;
  const before = (await witness(bench)).length;
  await until(async () => expect((await witness(bench)).length).toBeGreaterThan(before + 3));
  await fleet.close();
  const log = await witness(bench);
  expect(log.at(-1)?.extra).toBeUndefined();
  for (const camera of ['cam-01', 'cam-02']) {
    const sequences = log
      .filter((line) => line.camera === camera && line.extra === undefined)
      .map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.map((_, index) => index)); // in order, none left out, none twice
  }
  const accepted = await intake.acceptedIds();
  expect(log.every(({ uploadId }) => accepted.has(uploadId ?? ''))).toBe(true);
  await until(async () => {
    const quarantined = await intake.quarantinedIds();
    const homes = [
      ...sink.submitted.map(({ id }) => id),
      ...sink.duplicates.map(({ id }) => id),
      ...quarantined,
    ];
    expect(homes.sort()).toEqual([...accepted.keys()].sort());
  });
}

describe('extra uploads beside the frames', () => {
  it.each([
    ['corrupted_file', {}, 'CORRUPT_IMAGE'],
    ['invalid_format', {}, 'UNSUPPORTED_FORMAT'],
    ['invalid_format', { disguise: true }, 'CORRUPT_IMAGE'],
  ])('%s %o: accepted, quarantined as %s with a dead letter', async (type, params, code) => {
    const running = await start();
    const { sink } = running.bench;
    const id = await arm(running, type, params);
    await until(() => expect(sink.letters.length).toBeGreaterThan(2));
    const activity = await running.fleet.injector.end(id, 'stopped');
    expect(new Set(sink.letters.map((letter) => letter.code))).toEqual(new Set([code]));
    await expectAllAccounted(running);
    const extras = (await witness(running.bench)).filter(({ extra }) => extra !== undefined);
    expect(activity?.hits).toBe(extras.length);
    expect(sink.letters.map(({ uploadId }) => uploadId).sort()).toEqual(
      extras.map(({ uploadId }) => uploadId).sort(),
    );
  });

  it('oversized_file: quarantined as TOO_LARGE', async () => {
    const running = await start({}, 2);
    const { sink } = running.bench;
    await arm(running, 'oversized_file');
    await until(() => expect(running.fleet.injector.activity()[0]?.hits).toBe(1));
    await running.fleet.injector.end('f-oversized_file', 'stopped');
    await until(() => expect(sink.letters[0]?.code).toBe('TOO_LARGE'));
    await expectAllAccounted(running);
  });

  it('duplicate_upload: the same bytes again, found as a duplicate of the frame', async () => {
    const running = await start();
    const { sink } = running.bench;
    const id = await arm(running, 'duplicate_upload');
    await until(() => expect(sink.duplicates.length).toBeGreaterThan(2));
    const activity = await running.fleet.injector.end(id, 'stopped');
    await expectAllAccounted(running);
    const log = await witness(running.bench);
    const extras = log.filter(({ extra }) => extra === 'duplicate_upload');
    expect(activity?.hits).toBe(extras.length);
    expect(sink.duplicates).toHaveLength(extras.length);
    for (const { sha256, sequence, camera } of extras) {
      const frame = log.find((line) => line.sha256 === sha256 && line.extra === undefined);
      expect(frame).toMatchObject({ sequence, camera });
    }
  });
});

describe('tries that break off', () => {
  it.each(['rst', 'fin'])(
    'incomplete_upload by %s: the half is quarantined, the frame sent again and linked',
    async (mode) => {
      const running = await start({ uploadTimeoutMs: 400 });
      const { sink } = running.bench;
      const id = await arm(running, 'incomplete_upload', { mode });
      await until(() => expect(sink.letters.length).toBeGreaterThan(2));
      expect(running.fleet.report().cameras.some(({ failed }) => failed > 0)).toBe(true);
      const activity = await running.fleet.injector.end(id, 'stopped');
      expect(activity?.hitsByKind).toEqual({ STOR: activity?.hits });
      await until(() => expect(sink.links).toHaveLength(sink.letters.length));
      for (const letter of sink.letters) {
        expect(letter.uploadId).toBeNull(); // never accepted
        expect(['INCOMPLETE_UPLOAD', 'UPLOAD_TIMEOUT']).toContain(letter.code);
      }
      if (mode === 'rst') expect(sink.letters[0]?.code).toBe('INCOMPLETE_UPLOAD');
      await expectAllAccounted(running);
    },
  );

  it('upload_timeout: the server gives up, raises the alert after some in a row, and the frame comes again', async () => {
    const running = await start({ uploadTimeoutMs: 150, timeoutAlertCount: 2 });
    const { sink } = running.bench;
    await arm(running, 'upload_timeout');
    await until(() => expect(sink.letters.length).toBeGreaterThan(2));
    expect(sink.letters.every(({ code }) => code === 'UPLOAD_TIMEOUT')).toBe(true);
    await until(() => expect(sink.alerts).toContainEqual({ code: 'UPLOAD_TIMEOUTS', count: 2 }));
    await running.fleet.injector.end('f-upload_timeout', 'stopped');
    await until(() => expect(sink.links).toHaveLength(sink.letters.length));
    await expectAllAccounted(running);
  });

  it('a stall lets go at once when the lease ends by itself', async () => {
    const running = await start({ uploadTimeoutMs: 60_000 });
    await arm(running, 'upload_timeout', {}, 500);
    await until(() => expect(running.fleet.injector.activity()[0]?.hits).toBe(2)); // both cameras hang
    await until(() => expect(running.fleet.injector.all()).toEqual([]));
    await expectAllAccounted(running);
  });
});
