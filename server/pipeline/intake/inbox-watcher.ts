import { constants } from 'node:fs';
import { access, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import type { Clock, Timer } from '#lib/chaos/clock.ts';
import { faultMark } from '#lib/chaos/faults/fault.ts';
import type { Logger } from '../../logging.ts';
import type { IntakeSink, Upload, ValidUpload } from '../contracts.ts';
import { isErrorCode } from './durable-file.ts';
import type { FileFaults } from './file-faults.ts';
import type { IncomingUploads } from './incoming-uploads.ts';
import type { IntakeRecords } from './intake-records.ts';
import type { Quarantine } from './quarantine.ts';
import { uploadIdOfFile } from './upload-id.ts';
import type { Verdict } from './validate-upload.ts';

export interface InboxWatcherOptions {
  inboxDir: string;
  records: IntakeRecords;
  uploads: Pick<IncomingUploads, 'isAccepting' | 'adopt'>;
  quarantine: Quarantine;
  sink: IntakeSink;
  find: (id: string) => Promise<Upload | undefined>;
  locate: (id: string) => Promise<string | undefined>;
  validate: (upload: Upload) => Promise<Verdict>;
  discard: (id: string) => Promise<void>;
  files: FileFaults;
  clock: Clock;
  logger: Logger;
  scanIntervalMs: number;
  stableMs: number;
  concurrency: number;
  retryMs: number;
}

interface Working {
  readonly kind: 'working';
  /** Asked for again meanwhile. */
  again: boolean;
  /** Left the inbox meanwhile. */
  gone: boolean;
}

/** Where an upload of the inbox stands in the life of this process. */
type Phase =
  | { kind: 'queued'; attempts: number }
  | Working
  | { kind: 'waiting'; attempts: number; timer: Timer }
  | { kind: 'submitted' };

interface Stranger {
  sizeBytes: number;
  modifiedAtMs: number;
  /** Monotonic ms. */
  unchangedSinceMs: number;
}

const RETRY_CAP_MS = 10_000;
/** Failed hand-overs of one upload that raise the alert UPLOAD_STUCK. */
const STUCK_ATTEMPTS = 5;

/**
 * Takes each file of the inbox through validation to the work part, once in the life of the process.
 *
 * The scan is the truth; an acceptance, and chokidar for files of others, only make it faster. A file with an intake
 * record is whole the moment it is there (acceptance is a rename) and is not waited for. Any other file was put there
 * by hand: it is adopted, with an id of its own, once it has not changed for `stableMs`; `.part` and dot files never are.
 */
export class InboxWatcher {
  readonly #options: InboxWatcherOptions;
  readonly #phases = new Map<string, Phase>();
  readonly #queue: string[] = [];
  readonly #strangers = new Map<string, Stranger>();
  readonly #running = new Set<Promise<void>>();
  #working = 0;
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  #scanning: Promise<void> | undefined;
  #closed = false;

  constructor(options: InboxWatcherOptions) {
    this.#options = options;
  }

  /** @throws when the inbox cannot be read and written: nothing may then be accepted */
  async start(): Promise<void> {
    const { inboxDir, logger } = this.#options;
    await mkdir(inboxDir, { recursive: true });
    await access(inboxDir, constants.R_OK | constants.W_OK | constants.X_OK);
    await this.#removeUnanswered();
    await this.#scan();
    // Uploads are told by `notice`: to watch each file of theirs as well took a tenth of the process's time under load.
    const ignored = (path: string) => this.#isOurs(basename(path));
    this.#watcher = watch(inboxDir, { depth: 0, ignoreInitial: true, persistent: true, ignored });
    this.#watcher.on('add', () => this.#lookSoon());
    // What came between the scan and the start of the watch is told by neither.
    this.#watcher.on('ready', () => this.#lookSoon());
    this.#watcher.on('error', (error) => logger.warn({ err: error }, 'inbox watcher failed, scans go on'));
    this.#arm();
  }

  /** An upload was accepted. */
  notice(id: string): void {
    if (!this.#phases.has(id)) this.#enqueue(id, 0);
    this.#work();
  }

  /** Puts an upload through validation again, also when it was submitted before; failed tries go on being counted. */
  resubmit(id: string): void {
    const phase = this.#phases.get(id);
    if (phase?.kind === 'queued') return;
    if (phase?.kind === 'working') {
      phase.again = true;
      return;
    }
    if (phase?.kind === 'waiting') phase.timer.cancel();
    this.#enqueue(id, phase?.kind === 'waiting' ? phase.attempts : 0);
    this.#work();
  }

  /** The upload has left the inbox. */
  forget(id: string): void {
    const phase = this.#phases.get(id);
    if (phase?.kind === 'waiting') phase.timer.cancel();
    if (phase?.kind === 'working') phase.gone = true;
    else this.#phases.delete(id);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    for (const phase of this.#phases.values()) if (phase.kind === 'waiting') phase.timer.cancel();
    await this.#watcher?.close();
    await this.#scanning;
    await Promise.allSettled(this.#running);
  }

  /** See `incoming-uploads.ts`: a file whose record is missing was never answered, unless records were spoilt. */
  async #removeUnanswered(): Promise<void> {
    const { inboxDir, records, logger } = this.#options;
    for (const fileName of await readdir(inboxDir)) {
      const id = uploadIdOfFile(fileName);
      if (id === undefined || records.ids.has(id)) continue;
      if (records.damaged) {
        logger.error({ uploadId: id, fileName }, 'inbox file without a record, and records are spoilt: kept');
        continue; // the scan adopts it
      }
      logger.warn(
        { uploadId: id, fileName },
        'inbox file was never acknowledged: removed, its camera has it',
      );
      await rm(join(inboxDir, fileName), { force: true });
    }
  }

  #arm(): void {
    if (this.#closed) return;
    const { clock, scanIntervalMs, stableMs } = this.#options;
    const delayMs = this.#strangers.size > 0 ? Math.min(scanIntervalMs, stableMs / 2) : scanIntervalMs;
    this.#timer = clock.after(delayMs, () => {
      void this.#scan().then(() => this.#arm());
    });
  }

  /** Accepted, or about to be. */
  #isOurs(fileName: string): boolean {
    const { records, uploads } = this.#options;
    const id = uploadIdOfFile(fileName);
    return id !== undefined && (records.ids.has(id) || uploads.isAccepting(id));
  }

  #lookSoon(): void {
    if (this.#closed || this.#scanning !== undefined) return;
    this.#timer?.cancel();
    void this.#scan().then(() => this.#arm());
  }

  #scan(): Promise<void> {
    this.#scanning ??= this.#look()
      .catch((error: unknown) => this.#options.logger.error({ err: error }, 'inbox cannot be read'))
      .finally(() => {
        this.#scanning = undefined;
      });
    return this.#scanning;
  }

  async #look(): Promise<void> {
    const { inboxDir, records, uploads, quarantine } = this.#options;
    const names = (await readdir(inboxDir)).sort();
    const strangers: string[] = [];
    for (const name of names) {
      const id = uploadIdOfFile(name);
      if (id !== undefined && records.ids.has(id)) {
        if (!this.#phases.has(id)) this.#enqueue(id, 0);
      } else if (!name.startsWith('.') && !name.endsWith('.part') && !uploads.isAccepting(id ?? '')) {
        strangers.push(name);
      }
    }
    this.#work();
    for (const name of this.#strangers.keys()) if (!strangers.includes(name)) this.#strangers.delete(name);
    for (const name of strangers) await this.#meet(name);
    void quarantine.reportPending();
  }

  async #meet(name: string): Promise<void> {
    const { inboxDir, uploads, clock, stableMs, logger } = this.#options;
    const path = join(inboxDir, name);
    try {
      const { size, mtimeMs } = await stat(path);
      const known = this.#strangers.get(name);
      const nowMs = clock.monotonicMs();
      if (known?.sizeBytes !== size || known.modifiedAtMs !== mtimeMs) {
        this.#strangers.set(name, { sizeBytes: size, modifiedAtMs: mtimeMs, unchangedSinceMs: nowMs });
      } else if (nowMs - known.unchangedSinceMs >= stableMs) {
        this.#strangers.delete(name);
        await uploads.adopt(path);
      }
    } catch (error) {
      if (!isErrorCode(error, 'ENOENT')) logger.warn({ err: error, name }, 'file in the inbox not taken yet');
    }
  }

  #enqueue(id: string, attempts: number): void {
    this.#phases.set(id, { kind: 'queued', attempts });
    this.#queue.push(id);
  }

  #work(): void {
    while (!this.#closed && this.#working < this.#options.concurrency) {
      const id = this.#queue.shift();
      if (id === undefined) return;
      const phase = this.#phases.get(id);
      if (phase?.kind !== 'queued') continue;
      this.#working++;
      const run = this.#take(id, phase.attempts).finally(() => {
        this.#working--;
        this.#running.delete(run);
        this.#work();
      });
      this.#running.add(run);
    }
  }

  async #take(id: string, attempts: number): Promise<void> {
    const working: Working = { kind: 'working', again: false, gone: false };
    this.#phases.set(id, working);
    let stays = false;
    try {
      stays = await this.#handOver(id);
    } catch (error) {
      this.#retry(id, attempts + 1, error);
      return;
    }
    if (working.again) this.#enqueue(id, 0);
    else if (stays && !working.gone) this.#phases.set(id, { kind: 'submitted' });
    else this.#phases.delete(id);
  }

  /** @returns whether the file stays in the inbox, owned by the work part from now on */
  async #handOver(id: string): Promise<boolean> {
    const { find, locate, validate, quarantine, sink, discard, files, logger } = this.#options;
    const upload = await find(id);
    if (!upload) return false;
    const { traceId } = upload;
    const told = { traceId, uploadId: id, camera: upload.camera };
    if (await this.#deleted(upload)) return false;
    try {
      files.check('read', upload.name);
      const verdict = await validate(upload);
      if (!verdict.valid) {
        const { code, message } = verdict;
        const { camera, name } = upload;
        const fileName = basename(upload.path);
        await quarantine.hold(upload.path, fileName, { code, message, uploadId: id, camera, name, traceId });
        return false;
      }
      const { sha256, capturedAt, sequence } = verdict;
      const valid: ValidUpload = { ...upload, sha256, capturedAt, sequence };
      logger.info({ ...told, capturedAt, sequence }, 'upload validated');
      const originalId = await sink.claimHash(sha256, id);
      if (originalId !== id) {
        await sink.recordDuplicate(valid, originalId);
        await discard(id);
        logger.info({ ...told, originalId }, 'upload is a duplicate');
        return false;
      }
      await this.#submit(valid);
      logger.info(told, 'upload submitted');
      return true;
    } catch (error) {
      const path = await locate(id);
      if (!isErrorCode(error, 'ENOENT') || path === upload.path) throw error;
      if (path === undefined) logger.warn(told, 'upload vanished from the inbox');
      return false; // otherwise it was stored between the scan and now
    }
  }

  /** A destructive fault takes the file away; its home is named first, so that it is never without one. */
  async #deleted(upload: Upload): Promise<boolean> {
    const { files, sink, discard, logger } = this.#options;
    const { id, name, traceId, camera } = upload;
    if (!sink.isDropped?.(id)) {
      const fault = sink.drop && files.deletes(name);
      if (!fault) return false;
      await sink.drop?.(id, `file deleted by a fault ${faultMark(fault.id)}`);
      sink.alert('UPLOAD_DELETED', 1, `${name} was deleted from the inbox before it was read`);
    }
    await discard(id);
    logger.warn({ traceId, uploadId: id, camera, name }, 'upload deleted by a fault');
    return true;
  }

  async #submit(valid: ValidUpload): Promise<void> {
    const { sink, logger } = this.#options;
    try {
      await sink.submit(valid);
    } catch (error) {
      await sink
        .releaseHash(valid.sha256, valid.id)
        .catch((cause: unknown) => logger.warn({ err: cause, uploadId: valid.id }, 'hash not released'));
      throw error;
    }
  }

  #retry(id: string, attempts: number, error: unknown): void {
    const { clock, retryMs, sink, logger } = this.#options;
    const delayMs = Math.min(RETRY_CAP_MS, retryMs * 2 ** (attempts - 1));
    logger.warn({ err: error, uploadId: id, attempts, delayMs }, 'upload not handed over, to be tried again');
    if (attempts === STUCK_ATTEMPTS) {
      sink.alert('UPLOAD_STUCK', attempts, `upload ${id} could not be handed over ${attempts} times`);
    }
    if (this.#closed) return;
    const timer = clock.after(delayMs, () => {
      if (this.#phases.get(id)?.kind !== 'waiting') return;
      this.#enqueue(id, attempts);
      this.#work();
    });
    this.#phases.set(id, { kind: 'waiting', attempts, timer });
  }
}
