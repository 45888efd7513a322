import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { findFaultType } from '#lib/chaos/faults/catalogue.ts';
import type { FaultParams } from '#lib/chaos/faults/fault.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { createProxy } from '#lib/chaos/proxy/create-proxy.ts';
import { ProxyEffect } from '#lib/chaos/proxy/fault-proxies.ts';
import { createLogger } from '../logging.ts';
import { type Bench, makeBench, makeFrame } from '../pipeline/intake/intake-fixture.ts';
import type { IntakeOptions } from '../pipeline/intake/intake-options.ts';
import type { AcceptedUpload } from './camera.ts';
import { type CameraFleet, type CameraFleetOptions, createCameraFleet } from './camera-fleet.ts';
import { createFrameSources } from './frame-source.ts';
import { SequenceStore } from './sequence-store.ts';

const endings: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const until = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 15_000, interval: 20 });

async function makeIntake(overrides: Partial<IntakeOptions> = {}): Promise<Bench> {
  const bench = await makeBench(overrides);
  endings.push(() => bench.close());
  return bench;
}

async function startFleet(
  dataDir: string,
  port: number,
  overrides: Partial<CameraFleetOptions> = {},
): Promise<CameraFleet> {
  const fleet = await createCameraFleet({
    dataDir,
    ftp: { host: '127.0.0.1', port },
    count: 3,
    rate: 60,
    profile: 'game-day',
    logger: createLogger('test', 'silent'),
    retryMs: 20,
    retryCapMs: 100,
    ...overrides,
  });
  endings.push(() => fleet.close());
  fleet.start();
  return fleet;
}

async function readLog(dataDir: string): Promise<AcceptedUpload[]> {
  const text = await readFile(join(dataDir, 'cameras', 'accepted.jsonl'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

const accepted = (fleet: CameraFleet) =>
  fleet.report().cameras.reduce((total, camera) => total + camera.accepted, 0);
const metric = (fleet: CameraFleet, name: string) =>
  fleet.metrics.find((declared) => declared.name === name)?.read();

/** A port that can be cut: it passes bytes to `target` and resets everything when told to. */
async function makeCuttable(target: number): Promise<{ port: number; cut(): void; refuse(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const refuse = () => {
    cut();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  endings.push(() => (server.listening ? refuse() : Promise.resolve()));
  return { port: (server.address() as AddressInfo).port, cut, refuse };
}

describe('CameraFleet', () => {
  it('uploads rendered frames and logs each one that the intake answered for', async () => {
    const { intake, sink, dataDir } = await makeIntake();
    const fleet = await startFleet(dataDir, intake.ftpPort);
    await until(() => expect(accepted(fleet)).toBeGreaterThan(12));
    await fleet.close();
    const log = await readLog(dataDir);
    const ids = await intake.acceptedIds();
    expect(log.length).toBe(accepted(fleet));
    expect(log.every(({ uploadId }) => uploadId !== null && ids.has(uploadId))).toBe(true);
    expect(new Set(log.map(({ name }) => name)).size).toBe(log.length);
    expect(new Set(log.map(({ sha256 }) => sha256)).size).toBe(log.length);
    await until(() => expect(sink.submitted.length).toBeGreaterThanOrEqual(log.length));
    const witnessed = log[0] as AcceptedUpload;
    expect(sink.submitted.find(({ id }) => id === witnessed.uploadId)).toMatchObject({
      name: witnessed.name,
      camera: witnessed.camera,
      sequence: witnessed.sequence,
      capturedAt: witnessed.capturedAt,
      sizeBytes: witnessed.sizeBytes,
      sha256: witnessed.sha256,
    });
    expect(sink.letters).toEqual([]);
    expect(fleet.report().cameras).toHaveLength(3);
    expect(fleet.report().cameras.every(({ failed, lastError }) => failed === 0 && lastError === null)).toBe(
      true,
    );
    expect(metric(fleet, 'cameras.uploadsPerSecond')).toBeGreaterThan(1);
    expect(metric(fleet, 'cameras.uploadP95Ms')).toBeGreaterThan(0);
  });

  it('sends a frame again until it is answered for, while connections are cut under it', async () => {
    const { intake, sink, dataDir } = await makeIntake();
    const link = await makeCuttable(intake.ftpPort);
    const fleet = await startFleet(dataDir, link.port, { count: 2, rate: 20 });
    for (let round = 1; round <= 4; round++) {
      await until(() => expect(accepted(fleet)).toBeGreaterThan(round * 4));
      link.cut();
    }
    await until(() => expect(accepted(fleet)).toBeGreaterThan(24));
    await fleet.close();
    const log = await readLog(dataDir);
    const ids = await intake.acceptedIds();
    for (const camera of ['cam-01', 'cam-02']) {
      const sequences = log.filter((line) => line.camera === camera).map(({ sequence }) => sequence);
      expect(sequences).toEqual(sequences.map((_, index) => index)); // in order, none left out
    }
    expect(log.every(({ uploadId }) => ids.has(uploadId ?? ''))).toBe(true);
    await until(() => expect(sink.submitted.length + sink.duplicates.length).toBe(ids.size));
  });

  it('keeps a bounded number of frames while nobody answers, and takes no new ones beyond it', async () => {
    const { intake, dataDir } = await makeIntake();
    const link = await makeCuttable(intake.ftpPort);
    await link.refuse();
    const fleet = await startFleet(dataDir, link.port, { count: 1, rate: 100, maxPending: 5 });
    await until(() => expect(metric(fleet, 'cameras.skipped')).toBeGreaterThan(3));
    expect(fleet.report().cameras[0]).toMatchObject({ pending: 5, accepted: 0 });
    await until(() => expect(fleet.report().cameras[0]?.lastError).toMatch(/ECONNREFUSED/));
    expect(await readLog(dataDir)).toEqual([]);
  });

  it('gets every frame through once the fault of a proxy is over, each broken upload linked to its second try', async () => {
    const { intake, sink, dataDir } = await makeIntake({ uploadTimeoutMs: 300 });
    const effect = new ProxyEffect();
    const injector = new FaultInjector({ effect });
    endings.push(() => injector.close());
    const proxy = createProxy({
      service: 'ftp',
      listen: { host: '127.0.0.1', port: 0 },
      upstream: { host: '127.0.0.1', port: intake.ftpPort },
      injector,
    });
    effect.add(proxy);
    await proxy.start();
    endings.push(async () => proxy.close());
    const fleet = await startFleet(dataDir, proxy.port, { count: 2, rate: 10, timeoutMs: 1000 });
    await until(() => expect(accepted(fleet)).toBeGreaterThan(2));
    await injector.arm({
      id: 'silence',
      version: 1,
      service: 'ftp',
      type: 'timeout',
      params: findFaultType('timeout')?.params.parse({}) as FaultParams,
      ratio: 1,
      seed: 1,
      ttlMs: 30_000,
    });
    await until(() => expect(sink.letters.length).toBeGreaterThan(1));
    await until(() => expect(sink.letters.some(({ code }) => code === 'UPLOAD_TIMEOUT')).toBe(true));
    await until(() => expect(fleet.report().cameras.some(({ lastError }) => lastError !== null)).toBe(true));
    await injector.end('silence', 'stopped');
    const missing = new Set(sink.letters.map(({ name }) => name));
    await until(async () => {
      for (const { name } of await readLog(dataDir)) missing.delete(name);
      expect([...missing]).toEqual([]);
    });
    await until(() => expect(sink.links).toHaveLength(sink.letters.length));
    await until(() => expect(fleet.report().cameras.every(({ lastError }) => lastError === null)).toBe(true));
  });

  it('goes on with new sequence numbers after a restart', async () => {
    const { intake, dataDir } = await makeIntake();
    const first = await startFleet(dataDir, intake.ftpPort, { count: 1, rate: 40 });
    await until(() => expect(accepted(first)).toBeGreaterThan(3));
    await first.close();
    const before = await readLog(dataDir);
    const second = await startFleet(dataDir, intake.ftpPort, { count: 1, rate: 40 });
    await until(() => expect(accepted(second)).toBeGreaterThan(3));
    await second.close();
    const log = await readLog(dataDir);
    expect(log.slice(0, before.length)).toEqual(before);
    expect(new Set(log.map(({ name }) => name)).size).toBe(log.length);
    expect(log[before.length]?.sequence).toBeGreaterThan(before.at(-1)?.sequence ?? 0);
  });
});

describe('SequenceStore', () => {
  it('never gives a number twice, without having been closed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'brownout-sequence-'));
    endings.push(() => rm(folder, { recursive: true }));
    const path = join(folder, 'sequences.json');
    const seen = new Set<number>();
    for (let life = 0; life < 3; life++) {
      const store = await SequenceStore.open(path);
      for (let n = 0; n < 600; n++) {
        const sequence = await store.next('cam-01');
        expect(seen.has(sequence)).toBe(false);
        seen.add(sequence);
        if (n < 2) expect(await store.next('cam-02')).toBe(life * 500 + n);
      }
    }
  });
});

describe('createFrameSources', () => {
  it('renders whole pictures of 640 × 480, the same for the same seed, with somebody in some of them', async () => {
    const [one] = await createFrameSources({ cameraCount: 1, seed: 3 });
    const [again] = await createFrameSources({ cameraCount: 1, seed: 3 });
    const [other] = await createFrameSources({ cameraCount: 1, seed: 4 });
    const frames: (Buffer | undefined)[] = [];
    for (let sequence = 0; sequence < 24; sequence++) frames.push(await one?.frame(sequence));
    expect(frames.every((frame) => frame !== undefined && frame.length > 10 * 1024)).toBe(true);
    expect(await sharp(frames[0], { failOn: 'warning' }).metadata()).toMatchObject({
      width: 640,
      height: 480,
    });
    expect(await again?.frame(12)).toEqual(frames[12]);
    expect(await other?.frame(0)).not.toEqual(frames[0]);
    expect(frames[1]).toEqual(frames[0]); // nobody there yet
    expect(frames.some((frame) => !frame?.equals(frames[0] as Buffer))).toBe(true);
  });

  it('replays a directory in name order, each camera from its own place', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'brownout-frames-'));
    endings.push(() => rm(folder, { recursive: true }));
    const frames: Buffer[] = [];
    for (const name of ['a.jpg', 'b.jpg', 'c.jpeg', 'd.jpg']) {
      const frame = await makeFrame();
      frames.push(frame);
      await writeFile(join(folder, name), frame);
    }
    await writeFile(join(folder, 'NOTICE.md'), 'not a picture');
    const [one, two] = await createFrameSources({ cameraCount: 2, framesDir: folder });
    expect(await one?.frame(0)).toEqual(frames[0]);
    expect(await one?.frame(6)).toEqual(frames[2]);
    expect(await two?.frame(0)).toEqual(frames[2]);
    const empty = await mkdtemp(join(tmpdir(), 'brownout-empty-'));
    endings.push(() => rm(empty, { recursive: true }));
    await expect(createFrameSources({ cameraCount: 1, framesDir: empty })).rejects.toThrow(
      /CAMERA_FRAMES_DIR/,
    );
  });
});
