import { access, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Intake, Upload } from '../contracts.ts';
import { DiskSpace } from './disk-space.ts';
import { FileFaults } from './file-faults.ts';
import { kindOfExtension } from './file-format.ts';
import { type FtpServer, startFtpServer } from './ftp-server.ts';
import { InboxWatcher } from './inbox-watcher.ts';
import { IncomingUploads } from './incoming-uploads.ts';
import { INTAKE_DEFAULTS, type IntakeOptions, type IntakeTuning } from './intake-options.ts';
import { type IntakeRecord, IntakeRecords } from './intake-records.ts';
import { MediaStore } from './media-store.ts';
import { Quarantine } from './quarantine.ts';
import { uploadIdOfFile } from './upload-id.ts';
import { validateUpload } from './validate-upload.ts';

const RATE_WINDOW_MS = 10_000;

/** The intake, with the port that its FTP server really got. */
export interface RunningIntake extends Intake {
  /** Looks at the disk again now, so that the end of a fault is seen at once. */
  refreshDisk(): Promise<void>;
  /** @throws {Error} before `start` */
  readonly ftpPort: number;
}

/**
 * The intake of the pipeline: FTP server, records of acceptance, inbox watcher, quarantine, media.
 *
 *     FTP ─► incoming/ ─► inbox/ + intake/ ─► validation ─► sink.submit … store ─► media/
 *                 └─► quarantine/ ◄────────────────┘
 */
export function createIntake(options: IntakeOptions): RunningIntake {
  const tuning: IntakeOptions & IntakeTuning = { ...INTAKE_DEFAULTS[options.profile], ...options };
  const { dataDir, ftp, credentials, sink, logger, clock } = tuning;
  if (!(tuning.uploadTimeoutMs > 0)) {
    throw new RangeError(`Expected uploadTimeoutMs to be above 0, got ${tuning.uploadTimeoutMs}`);
  }
  const inboxDir = join(dataDir, 'inbox');
  const quarantineDir = join(dataDir, 'quarantine');

  const files = new FileFaults(tuning.injector);
  const records = new IntakeRecords(join(dataDir, 'intake'), logger);
  const quarantine = new Quarantine({
    directory: quarantineDir,
    maxBytes: tuning.quarantineMaxBytes,
    sink,
    clock,
    logger,
  });
  const media = new MediaStore(join(dataDir, 'media'), tuning.mediaMaxBytes, logger);
  const disk = new DiskSpace({
    path: dataDir,
    probe: files.probe(tuning.probeDisk),
    intervalMs: tuning.diskProbeMs,
    lowRatio: tuning.lowDiskRatio,
    fullRatio: tuning.fullDiskRatio,
    clock,
    logger,
    onAlert: (code, text) => sink.alert(code, 1, text),
  });
  const acceptedAtMs: number[] = [];
  const uploads = new IncomingUploads({
    incomingDir: join(dataDir, 'incoming'),
    inboxDir,
    records,
    quarantine,
    disk,
    files,
    sink,
    clock,
    logger,
    uploadTimeoutMs: tuning.uploadTimeoutMs,
    timeoutAlertCount: tuning.timeoutAlertCount,
    maxBytes: tuning.maxBytes,
    onAccepted: ({ id }) => {
      acceptedAtMs.push(clock.monotonicMs());
      watcher.notice(id);
    },
  });
  const watcher = new InboxWatcher({
    inboxDir,
    records,
    uploads,
    quarantine,
    sink,
    find,
    locate,
    validate: (upload) => validateUpload(upload, tuning),
    discard,
    files,
    clock,
    logger,
    scanIntervalMs: tuning.scanIntervalMs,
    stableMs: tuning.stableMs,
    concurrency: tuning.concurrency,
    retryMs: tuning.retryMs,
  });
  let server: FtpServer | undefined;

  const inboxPath = ({ id, extension }: Pick<IntakeRecord, 'id' | 'extension'>) =>
    join(inboxDir, `${id}.${extension}`);

  async function find(id: string): Promise<Upload | undefined> {
    const record = await records.find(id);
    if (!record) return undefined;
    const { extension, ...known } = record;
    return { ...known, kind: kindOfExtension(extension) ?? 'image', path: inboxPath(record) };
  }

  async function discard(id: string): Promise<void> {
    const record = await records.find(id);
    if (record) await rm(inboxPath(record), { force: true });
    watcher.forget(id);
  }

  async function locate(id: string): Promise<string | undefined> {
    const record = await records.find(id);
    if (!record) return undefined;
    for (const path of [media.pathOf(id, record.extension), inboxPath(record)]) {
      if (await exists(path)) return path;
    }
    return undefined;
  }

  return {
    get ftpPort() {
      if (!server) throw new Error('The intake has not been started');
      return server.port;
    },

    refreshDisk: () => disk.refresh(),

    async start() {
      await mkdir(dataDir, { recursive: true });
      await Promise.all([disk.start(), media.start(), records.open(), quarantine.start()]);
      await uploads.start();
      await watcher.start();
      const { passivePorts } = tuning;
      server = await startFtpServer({ ...ftp, passivePorts, credentials, uploads, logger });
    },

    async close() {
      await server?.close();
      await uploads.close();
      await watcher.close();
      await quarantine.close();
      await media.close();
      disk.close();
      await records.close();
    },

    acceptedIds: async () => records.ids,

    async inboxIds() {
      const ids = new Set<string>();
      for (const name of await readdir(inboxDir)) {
        const id = uploadIdOfFile(name);
        if (id !== undefined && records.ids.has(id)) ids.add(id);
      }
      return ids;
    },

    quarantinedIds: () => quarantine.ids(),
    find,
    discard,

    async store(id) {
      const record = await records.find(id);
      if (!record) return;
      const isTaken = await media.take(inboxPath(record), id, record.extension);
      if (!isTaken && !(await media.has(id, record.extension))) {
        logger.warn({ uploadId: id, traceId: record.traceId }, 'file of a stored upload is gone');
      }
      watcher.forget(id);
    },

    locate,

    async resubmit(id) {
      const record = await records.find(id);
      if (!record) return;
      const path = inboxPath(record);
      const isHere = (await exists(path)) || (await quarantine.release(`${id}.${record.extension}`, path));
      if (isHere) watcher.resubmit(id);
      else logger.warn({ uploadId: id, traceId: record.traceId }, 'no file to submit again');
    },

    metrics() {
      const nowMs = clock.monotonicMs();
      while (acceptedAtMs[0] !== undefined && acceptedAtMs[0] < nowMs - RATE_WINDOW_MS) acceptedAtMs.shift();
      return {
        uploadsPerSecond: acceptedAtMs.length / (RATE_WINDOW_MS / 1000),
        sessions: server?.sessions ?? 0,
        freeRatio: disk.freeRatio,
      };
    },
  };
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
