/** Faults on files that act in the cameras: the real ones against the real intake over FTP. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { AcceptedUpload } from '#server/cameras/camera.ts';
import { createCameraFleet } from '#server/cameras/camera-fleet.ts';
import { createLogger } from '#server/logging.ts';
import type { IntakeDeadLetter } from '#server/pipeline/contracts.ts';
import { type Bench as IntakeBench, makeBench } from '#server/pipeline/intake/intake-fixture.ts';
import type { IntakeOptions } from '#server/pipeline/intake/intake-options.ts';
import { until } from '#tests/support/until.ts';
import { type FaultBench, proveFault } from './prove-fault.ts';

interface CamerasBench extends FaultBench {
  readonly intake: IntakeBench;
  /** What the cameras have noted as answered for. */
  witness(): Promise<AcceptedUpload[]>;
}

const FRAMES = fileURLToPath(new URL('../fixtures/camera-frames', import.meta.url));
const FRAMES_PER_SECOND = 6;
/** Longer than a busy machine mostly stands still, so that it is the fault that makes an upload time out. */
const UPLOAD_TIMEOUT_MS = 1200;
/** A look that saw this many frames get through undisturbed has seen no effect. */
const LOOK_FRAMES = 3;
/** Longest look and longest wait for what a camera notes, ms. */
const LOOK_MS = 10_000;

async function openCameras(options: Partial<IntakeOptions> = {}): Promise<CamerasBench> {
  const intake = await makeBench(options);
  const fleet = await createCameraFleet({
    dataDir: intake.dataDir,
    ftp: { host: '127.0.0.1', port: intake.intake.ftpPort },
    count: 2,
    rate: FRAMES_PER_SECOND,
    framesDir: FRAMES,
    profile: 'game-day',
    logger: createLogger('test', 'silent'),
    retryMs: 20,
    retryCapMs: 100,
  });
  fleet.start();
  const bench = { injector: fleet.injector, intake, witness: () => readWitness(intake) };
  let hits = 0;
  fleet.injector.on('ended', ({ activity }) => {
    hits += activity.hits;
  });
  return {
    ...bench,
    async close() {
      try {
        await fleet.close();
        await expectAllAccounted(bench, hits);
      } finally {
        await intake.close();
      }
    },
  };
}

async function readWitness({ dataDir }: IntakeBench): Promise<AcceptedUpload[]> {
  const text = await readFile(join(dataDir, 'cameras', 'accepted.jsonl'), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as AcceptedUpload);
}

/** No frame was left out or accepted twice, each extra is one hit, and every accepted upload has a home. */
async function expectAllAccounted(
  { intake: { intake, sink }, witness }: CamerasBench,
  hits: number,
): Promise<void> {
  const log = await witness();
  const extras = log.filter(({ extra }) => extra !== undefined);
  if (extras.length > 0) expect(extras).toHaveLength(hits);
  for (const camera of ['cam-01', 'cam-02']) {
    const frames = log.filter((line) => line.camera === camera && line.extra === undefined);
    expect(frames.map(({ sequence }) => sequence)).toEqual(frames.map((_, index) => index));
  }
  const accepted = await intake.acceptedIds();
  expect(log.every(({ uploadId }) => accepted.has(uploadId ?? ''))).toBe(true);
  await until('every accepted upload has a home', 10_000, async () => {
    const homes = [
      ...sink.submitted.map(({ id }) => id),
      ...sink.duplicates.map(({ id }) => id),
      ...(await intake.quarantinedIds()),
    ];
    return homes.length === accepted.size && homes.every((id) => accepted.has(id));
  });
}

/** Frames get through and nothing else; each half is linked to the try that succeeded, each extra has its home. */
async function serves({ intake: { sink, dataDir }, witness }: CamerasBench): Promise<boolean> {
  const before = (await witness()).length;
  const newest = async () => (await witness()).slice(before);
  // A camera does one thing after the other: a try that a fault cut lies behind it then.
  await until('both cameras have got a frame through', LOOK_MS, async () => {
    return new Set((await newest()).map(({ camera }) => camera)).size === 2;
  });
  // A half that nobody renames is given up a while after the fault that cut it has ended.
  const incoming = () => readdir(join(dataDir, 'incoming'));
  const begun = await incoming();
  await until('what had begun has its end', LOOK_MS, async () => {
    const now = await incoming();
    return begun.every((name) => !now.includes(name));
  });
  const parts = (await readdir(join(dataDir, 'quarantine'))).filter((name) => name.endsWith('.part'));
  const log = await witness();
  const halves = sink.letters.filter(({ uploadId }) => uploadId === null);
  const homes = new Set([
    ...sink.letters.map(({ uploadId }) => uploadId),
    ...sink.duplicates.map(({ id }) => id),
  ]);
  for (const list of [sink.letters, sink.duplicates]) looked.set(list, list.length);
  return (
    log.slice(before).every(({ extra }) => extra === undefined) &&
    halves.length === parts.length && // each has its letter
    sink.links.length === halves.length &&
    log.every(({ extra, uploadId }) => extra === undefined || homes.has(uploadId))
  );
}

/** How much of each list has been looked at. */
const looked = new WeakMap<readonly unknown[], number>();

/** What was added to a list since the last look, or is while some frames get through; undefined for nothing. */
async function newIn<T>(list: readonly T[], { witness }: CamerasBench): Promise<T | undefined> {
  const before = looked.get(list) ?? 0;
  const frames = async () => (await witness()).filter(({ extra }) => extra === undefined).length;
  const enough = (await frames()) + LOOK_FRAMES;
  await until(
    'something new, or frames',
    LOOK_MS,
    async () => list.length > before || (await frames()) >= enough,
    20,
  );
  looked.set(list, list.length);
  return list[before];
}

const newLetter = (bench: CamerasBench) => newIn(bench.intake.sink.letters, bench);

/** Size of the file that lies in quarantine for a dead letter; its name is the upload's id, or a token for a half. */
async function quarantinedBytes({ dataDir }: IntakeBench, letter: IntakeDeadLetter): Promise<number> {
  const folder = join(dataDir, 'quarantine');
  const name = letter.uploadId ?? letter.key.split(':')[1] ?? '';
  const file = (await readdir(folder)).find((each) => each.startsWith(name) && !each.endsWith('.json'));
  return file === undefined ? 0 : (await stat(join(folder, file))).size;
}

/** A half was never accepted and lies in quarantine; its camera has kept the frame. */
const isHalf = (codes: readonly string[]) => async (bench: CamerasBench) => {
  const letter = await newLetter(bench);
  if (letter === undefined || letter.uploadId !== null || !codes.includes(letter.code)) return false;
  const half = await quarantinedBytes(bench.intake, letter);
  const [whole] = await bench.witness();
  return half > 0 && half < (whole?.sizeBytes ?? 0) * 0.9;
};

proveFault('ftp', 'incomplete_upload', () => openCameras({ uploadTimeoutMs: 400 }), {
  variant: 'rst',
  params: { mode: 'rst' },
  ttlMs: 2500,
  hitKind: 'STOR',
  serves,
  seesEffect: isHalf(['INCOMPLETE_UPLOAD']),
});

proveFault('ftp', 'incomplete_upload', () => openCameras({ uploadTimeoutMs: UPLOAD_TIMEOUT_MS }), {
  variant: 'fin',
  params: { mode: 'fin' },
  ttlMs: 4000,
  hitKind: 'STOR',
  serves,
  // FTP takes it for a success; it is given up when nobody renames it.
  seesEffect: isHalf(['INCOMPLETE_UPLOAD', 'UPLOAD_TIMEOUT']),
});

const openImpatient = () => openCameras({ uploadTimeoutMs: UPLOAD_TIMEOUT_MS, timeoutAlertCount: 2 });

proveFault('ftp', 'upload_timeout', openImpatient, {
  ttlMs: 5000,
  hitKind: 'STOR',
  serves,
  async seesEffect(bench) {
    if (!(await isHalf(['UPLOAD_TIMEOUT'])(bench))) return false;
    const { alerts } = bench.intake.sink;
    await until('the alert', 4000, () => alerts.some(({ code }) => code === 'UPLOAD_TIMEOUTS'), 20);
    return true;
  },
});

/** Beside a frame, an upload was accepted that its camera noted as the fault's, and it lies in quarantine. */
const isQuarantinedExtra =
  (type: string, code: string, isRight: (sizeBytes: number, name: string) => boolean = () => true) =>
  async (bench: CamerasBench) => {
    const letter = await newLetter(bench);
    if (letter?.code !== code || letter.uploadId === null) return false;
    const { uploadId } = letter;
    // The answer is noted a moment after it was given.
    const noted = await until('its camera has noted it', LOOK_MS, async () =>
      (await bench.witness()).find((line) => line.uploadId === uploadId),
    );
    const bytes = await quarantinedBytes(bench.intake, letter);
    return noted.extra === type && bytes === noted.sizeBytes && isRight(bytes, noted.name);
  };

proveFault('ftp', 'corrupted_file', openCameras, {
  ttlMs: 2500,
  hitKind: 'STOR',
  serves,
  seesEffect: isQuarantinedExtra('corrupted_file', 'CORRUPT_IMAGE'),
});

proveFault('ftp', 'corrupted_file', openCameras, {
  variant: 'video',
  params: { content: 'video' },
  ttlMs: 2500,
  hitKind: 'STOR',
  serves,
  seesEffect: isQuarantinedExtra('corrupted_file', 'CORRUPT_VIDEO', (_, name) => name.endsWith('.mp4')),
});

proveFault('ftp', 'invalid_format', openCameras, {
  ttlMs: 2500,
  hitKind: 'STOR',
  serves,
  seesEffect: isQuarantinedExtra('invalid_format', 'UNSUPPORTED_FORMAT', (_, name) => name.endsWith('.txt')),
});

proveFault('ftp', 'invalid_format', openCameras, {
  variant: 'disguised',
  params: { disguise: true },
  ttlMs: 2500,
  hitKind: 'STOR',
  serves,
  seesEffect: isQuarantinedExtra('invalid_format', 'CORRUPT_IMAGE', (_, name) => name.endsWith('.jpg')),
});

proveFault('ftp', 'oversized_file', openCameras, {
  ratio: 1,
  failFirst: 1, // one is enough for the disk
  ttlMs: 5000,
  hitKind: 'STOR',
  serves,
  seesEffect: isQuarantinedExtra('oversized_file', 'TOO_LARGE', (bytes) => bytes === 51 * 2 ** 20),
});

proveFault('ftp', 'duplicate_upload', openCameras, {
  ttlMs: 2500,
  hitKind: 'STOR',
  serves,
  async seesEffect(bench) {
    const duplicate = await newIn(bench.intake.sink.duplicates, bench);
    if (!duplicate) return false;
    const log = await until('its camera has noted it', LOOK_MS, async () => {
      const lines = await bench.witness();
      return lines.some(({ uploadId }) => uploadId === duplicate.id) ? lines : undefined;
    });
    const extra = log.find(({ uploadId }) => uploadId === duplicate.id);
    const frame = log.find(({ uploadId }) => uploadId === duplicate.originalId);
    return (
      extra?.extra === 'duplicate_upload' &&
      frame?.extra === undefined &&
      extra.sha256 === frame?.sha256 &&
      extra.sequence === frame.sequence
    );
  },
});
