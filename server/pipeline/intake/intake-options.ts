import { type Clock, systemClock } from '#lib/chaos/clock.ts';
import type { FaultInjector } from '#lib/chaos/faults/injector.ts';
import type { Settings } from '../../config.ts';
import type { Logger } from '../../logging.ts';
import type { IntakeSink } from '../contracts.ts';
import type { CameraCredentials } from './credentials.ts';
import { type DiskProbe, probeDisk } from './disk-space.ts';

export interface IntakeTuning {
  /** Silence on the data connection of an upload after which it is given up, ms. Above 0. */
  uploadTimeoutMs: number;
  /** Time-outs in a row that raise the alert UPLOAD_TIMEOUTS. @default 5 */
  timeoutAlertCount: number;
  /** Smaller uploads are quarantined as TOO_SMALL. @default 10 KiB */
  minBytes: number;
  /** Larger uploads are quarantined as TOO_LARGE. @default 50 MiB */
  maxBytes: number;
  /** Free share of the disk below which DISK_LOW is raised, 0–1. @default 0.1 */
  lowDiskRatio: number;
  /** Free share of the disk below which uploads are refused with 452, 0–1. @default 0.02 */
  fullDiskRatio: number;
  /** Time between two looks at the disk, ms. @default 2000 */
  diskProbeMs: number;
  probeDisk: DiskProbe;
  /** Time between two scans of the inbox, ms. */
  scanIntervalMs: number;
  /** A file that came into the inbox by other means than FTP is taken once unchanged for so long, ms. @default 2000 */
  stableMs: number;
  /** Uploads validated at once. @default 2 */
  concurrency: number;
  /** First pause after a failed hand-over; doubles up to 10 s. ms @default 500 */
  retryMs: number;
  /** Media are removed, oldest first, beyond this many bytes. @default 2 GiB */
  mediaMaxBytes: number;
  /** Partial files in quarantine are removed, oldest first, beyond this many bytes. @default 1 GiB */
  quarantineMaxBytes: number;
  /** Range for passive data connections; several hundred, below the ephemeral ports. @default a window of 600 in 30000–32767 */
  passivePorts: { min: number; max: number };
  clock: Clock;
}

const COMMON: Omit<IntakeTuning, 'uploadTimeoutMs' | 'scanIntervalMs'> = {
  timeoutAlertCount: 5,
  minBytes: 10 * 1024,
  maxBytes: 50 * 1024 ** 2,
  lowDiskRatio: 0.1,
  fullDiskRatio: 0.02,
  diskProbeMs: 2000,
  probeDisk,
  stableMs: 2000,
  concurrency: 2,
  retryMs: 500,
  mediaMaxBytes: 2 * 1024 ** 3,
  quarantineMaxBytes: 1024 ** 3,
  passivePorts: passiveWindow(),
  clock: systemClock,
};

export const INTAKE_DEFAULTS: Record<Settings['PROFILE'], IntakeTuning> = {
  'game-day': { ...COMMON, uploadTimeoutMs: 5000, scanIntervalMs: 2000 },
  production: { ...COMMON, uploadTimeoutMs: 30_000, scanIntervalMs: 5000 },
  test: {
    ...COMMON,
    uploadTimeoutMs: 1200,
    scanIntervalMs: 500,
    diskProbeMs: 300,
    stableMs: 500,
    retryMs: 150,
  },
};

export interface IntakeOptions extends Partial<IntakeTuning> {
  /** Absolute. */
  dataDir: string;
  /** Address of the control connection, `wiring.direct.ftp`; port 0 picks a free one. */
  ftp: { host: string; port: number };
  credentials: CameraCredentials;
  profile: Settings['PROFILE'];
  sink: IntakeSink;
  logger: Logger;
  /** Faults on `ftp` that act on files. @default none ever does */
  injector?: FaultInjector;
}

/** Two servers on one machine (tests) rarely share a window, and within one every transfer gets the next port. */
function passiveWindow(): { min: number; max: number } {
  const windowPorts = 600;
  const min = 30_000 + Math.floor(Math.random() * (2768 - windowPorts));
  return { min, max: min + windowPorts - 1 };
}
