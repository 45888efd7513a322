import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metric } from '#lib/agent/agent.ts';
import { type Clock, systemClock } from '#lib/chaos/clock.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { createRandom } from '#lib/chaos/random.ts';
import type { CamerasReport } from '#lib/protocol/state.ts';
import type { Settings } from '../config.ts';
import type { DependencyAddress } from '../dependency-addresses.ts';
import type { Logger } from '../logging.ts';
import { AppendLog } from '../pipeline/intake/append-log.ts';
import { cameraName, loadCredentials } from '../pipeline/intake/credentials.ts';
import { Camera } from './camera.ts';
import { createFrameSources } from './frame-source.ts';
import { FtpUploader } from './ftp-uploader.ts';
import { SequenceStore } from './sequence-store.ts';
import { UploadFaults } from './upload-faults.ts';
import { UploadStatistics } from './upload-statistics.ts';

interface CameraFleetTuning {
  /** Silence after which a connection is given up, ms; longer than the intake's own time-out, which is to be seen first. */
  timeoutMs: number;
  /** Frames that one camera keeps while the intake does not answer. @default 20 */
  maxPending: number;
  /** @default 250 */
  retryMs: number;
  /** @default 5000 */
  retryCapMs: number;
  clock: Clock;
}

const COMMON = { maxPending: 20, retryMs: 250, retryCapMs: 5000, clock: systemClock };

const CAMERA_FLEET_DEFAULTS: Record<Settings['PROFILE'], CameraFleetTuning> = {
  'game-day': { ...COMMON, timeoutMs: 8000 },
  production: { ...COMMON, timeoutMs: 45_000 },
  test: { ...COMMON, timeoutMs: 2500, retryCapMs: 1000 },
};

export interface CameraFleetOptions extends Partial<CameraFleetTuning> {
  /** Absolute. */
  dataDir: string;
  /** Where to upload. */
  ftp: DependencyAddress;
  /** 1–64. */
  count: number;
  /** Frames a second, all cameras together; 0 uploads nothing. */
  rate: number;
  framesDir?: string | undefined;
  profile: Settings['PROFILE'];
  logger: Logger;
}

export interface CameraFleet {
  /** Holds the faults that act in the cameras. */
  readonly injector: FaultInjector;
  readonly metrics: readonly Metric[];
  report(): CamerasReport;
  start(): void;
  close(): Promise<void>;
}

/** @throws {Error} when the frames cannot be read or `DATA_DIR/cameras` cannot be written */
export async function createCameraFleet(options: CameraFleetOptions): Promise<CameraFleet> {
  const tuning = { ...CAMERA_FLEET_DEFAULTS[options.profile], ...options };
  const { dataDir, ftp, count, rate, framesDir, logger, clock, timeoutMs } = tuning;
  const folder = join(dataDir, 'cameras');
  await mkdir(folder, { recursive: true });
  const credentials = await loadCredentials(dataDir);
  const sources = await createFrameSources({ cameraCount: count, framesDir });
  const sequences = await SequenceStore.open(join(folder, 'sequences.json'));
  const acceptedLog = await AppendLog.open(join(folder, 'accepted.jsonl'));
  const statistics = new UploadStatistics();
  const faults = new UploadFaults();
  const injector = new FaultInjector({ clock, effect: faults });
  const random = createRandom(process.pid);
  const intervalMs = rate > 0 ? (count / rate) * 1000 : null;

  const cameras = sources.map((source, index) => {
    const name = cameraName(index);
    const password = credentials[name];
    if (password === undefined) throw new Error(`credentials.json has no account for ${name}`);
    return new Camera({
      name,
      source,
      uploader: new FtpUploader({ ...ftp, user: name, password, timeoutMs }),
      injector,
      faults,
      sequences,
      acceptedLog,
      intervalMs,
      firstAfterMs: intervalMs === null ? 0 : (intervalMs * index) / count,
      maxPending: tuning.maxPending,
      retryMs: tuning.retryMs,
      retryCapMs: tuning.retryCapMs,
      clock,
      random,
      logger,
      onUploaded: (tookMs) => statistics.add(clock.monotonicMs(), tookMs),
    });
  });

  const sum = (of: (camera: Camera) => number) => cameras.reduce((total, camera) => total + of(camera), 0);
  return {
    injector,
    metrics: [
      {
        name: 'cameras.uploadsPerSecond',
        unit: '1/s',
        help: 'Uploads that the intake answered for, mean of 10 s',
        read: () => statistics.uploadsPerSecond(clock.monotonicMs()),
      },
      {
        name: 'cameras.pending',
        unit: 'items',
        help: 'Frames that cameras keep until the intake answers for them',
        read: () => sum((camera) => camera.status.pending),
      },
      {
        name: 'cameras.uploadP95Ms',
        unit: 'ms',
        help: '95th percentile of the time of an upload, last 10 s',
        read: () => statistics.p95Ms(clock.monotonicMs()),
      },
      {
        name: 'cameras.skipped',
        unit: 'items',
        help: 'Frames not taken because too many were waiting, since the start',
        read: () => sum((camera) => camera.skipped),
      },
    ],
    report: () => ({ cameras: cameras.map((camera) => camera.status) }),
    start() {
      for (const camera of cameras) camera.start();
    },
    async close() {
      await injector.close();
      await Promise.all(cameras.map((camera) => camera.close()));
      await acceptedLog.close();
    },
  };
}
