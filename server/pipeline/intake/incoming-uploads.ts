/**
 * From the first byte of an upload to its acceptance.
 *
 *     STOR x.jpg.part ─► incoming/<token>… ─► RNTO x.jpg ┐   fsync file ─► rename to inbox/<ULID>.jpg ─► fsync folder
 *     STOR x.jpg ──────► incoming/<token>… ─► end of data ┴─► ─► record (fsynced) ─► positive reply
 *
 * A crash before the record leaves an inbox file that nobody was told about: the next start removes it, the camera
 * still has the frame. A crash after the record leaves an accepted upload; a camera that did not hear the answer sends
 * the frame again, which is then a duplicate by content.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { monotonicFactory } from 'ulid';
import type { Clock, Timer } from '#lib/chaos/clock.ts';
import { faultMark, readFaultMark } from '#lib/chaos/faults/fault.ts';
import type { Logger } from '../../logging.ts';
import type { IntakeSink } from '../contracts.ts';
import { BrokenUploads } from './broken-uploads.ts';
import type { DiskSpace } from './disk-space.ts';
import { isErrorCode, syncFile, syncFolder } from './durable-file.ts';
import type { FileFaults } from './file-faults.ts';
import { extensionOf } from './file-format.ts';
import { type FrameComment, readFrameComment } from './frame-comment.ts';
import { FtpRefusal } from './ftp-refusal.ts';
import { IncomingFile, UploadTimeoutError } from './incoming-file.ts';
import type { IntakeRecord, IntakeRecords } from './intake-records.ts';
import type { Quarantine } from './quarantine.ts';

/** One FTP control connection. */
export interface UploadSession {
  readonly camera: string;
  readonly files: Map<string, Incoming>;
  /** Monotonic ms; undefined while it is connected. */
  closedAtMs: number | undefined;
}

interface Incoming {
  readonly path: string;
  readonly name: string;
  readonly session: UploadSession;
  /** receiving: bytes arrive; stored: whole as far as FTP can tell; taken: being accepted or given up. */
  phase: 'receiving' | 'stored' | 'taken';
  sizeBytes: number;
  comment: FrameComment | undefined;
  /** Monotonic ms. */
  storedAtMs: number;
}

export interface IncomingUploadsOptions {
  incomingDir: string;
  inboxDir: string;
  records: IntakeRecords;
  quarantine: Quarantine;
  disk: DiskSpace;
  files: FileFaults;
  sink: Pick<IntakeSink, 'alert'>;
  clock: Clock;
  logger: Logger;
  uploadTimeoutMs: number;
  timeoutAlertCount: number;
  maxBytes: number;
  onAccepted: (record: IntakeRecord) => void;
}

const PART = '.part';
/** A whole `.part` file of a camera that is still connected is kept this many time-outs for its rename. */
const CONNECTED_PATIENCE = 6;
/** An upload is cut off beyond this many times the largest size that validation takes. */
const CUT_OFF_FACTOR = 2;
const MAX_NAME_BYTES = 150;
const NO_SPACE = ['ENOSPC', 'EDQUOT'];

export class IncomingUploads {
  readonly #options: IncomingUploadsOptions;
  readonly #nextId = monotonicFactory();
  readonly #sessions = new Set<UploadSession>();
  readonly #accepting = new Set<string>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #receiving = new Set<IncomingFile>();
  readonly #broken: BrokenUploads;
  #timeoutsInARow = 0;
  /** Uploads that the file system refused since the last acceptance, a full disk apart. */
  #refusedInARow = 0;
  #sweepTimer: Timer | undefined;
  #closed = false;

  constructor(options: IncomingUploadsOptions) {
    this.#options = options;
    this.#broken = new BrokenUploads(options.quarantine, options.logger);
  }

  /** What a process that died left half received goes to quarantine: its sessions are gone. */
  async start(): Promise<void> {
    const { incomingDir } = this.#options;
    await mkdir(incomingDir, { recursive: true });
    for (const fileName of await readdir(incomingDir)) {
      const [token = fileName, camera = 'unknown', name = fileName] = fileName.split('~');
      await this.#broken.hold(join(incomingDir, fileName), `${token}${PART}`, {
        code: 'INCOMPLETE_UPLOAD',
        message: 'the server ended before the upload did',
        uploadId: null,
        camera,
        name: baseName(decodeName(name)),
        traceId: randomUUID(),
      });
    }
    this.#armSweep();
  }

  /** Ids whose file may lie in the inbox although they are not on record, and must be left alone there. */
  isAccepting(id: string): boolean {
    return this.#accepting.has(id);
  }

  openSession(camera: string): UploadSession {
    const session: UploadSession = { camera, files: new Map(), closedAtMs: undefined };
    this.#sessions.add(session);
    return session;
  }

  closeSession(session: UploadSession): void {
    session.closedAtMs ??= this.#options.clock.monotonicMs();
  }

  /**
   * Opens the file for one STOR. `reply` resolves with the text of the positive answer.
   * @throws {FtpRefusal} 452 when the disk is full, 553 for a name that cannot be taken
   */
  async receive(
    session: UploadSession,
    givenName: string,
  ): Promise<{ file: IncomingFile; reply: Promise<string> }> {
    const { incomingDir, disk, files, clock, uploadTimeoutMs, maxBytes } = this.#options;
    const name = cleanName(givenName);
    try {
      files.check('store', name);
    } catch (error) {
      throw this.#storageRefusal(error);
    }
    if (disk.isFull) throw new FtpRefusal(452, 'Insufficient storage space, try again later');
    const before = session.files.get(name);
    if (before?.phase === 'receiving') throw new FtpRefusal(450, `${name} is being uploaded`);
    if (before) {
      this.#background(this.#giveUp(before, 'INCOMPLETE_UPLOAD', `replaced after ${before.sizeBytes} bytes`));
    }

    const token = randomBytes(8).toString('hex');
    const path = join(incomingDir, `${token}~${session.camera}~${encodeURIComponent(name)}`);
    const handle = await open(path, 'wx').catch((error: unknown) => {
      throw this.#storageRefusal(error);
    });
    const incoming: Incoming = {
      path,
      name,
      session,
      phase: 'receiving',
      sizeBytes: 0,
      comment: undefined,
      storedAtMs: 0,
    };
    session.files.set(name, incoming);
    const reply = Promise.withResolvers<string>();
    const closed = Promise.withResolvers<void>();
    const file = new IncomingFile({
      handle,
      maxBytes: maxBytes * CUT_OFF_FACTOR,
      timeoutMs: uploadTimeoutMs,
      clock,
      beforeWrite: () => files.check('write', name),
      refuse: (error) => this.#storageRefusal(error),
      onEnd: async ({ sizeBytes, head }) => {
        incoming.sizeBytes = sizeBytes;
        incoming.comment = readFrameComment(head);
        incoming.storedAtMs = clock.monotonicMs();
        incoming.phase = 'stored';
        if (name.endsWith(PART)) reply.resolve(`Stored ${sizeBytes} bytes, waiting for the rename`);
        else reply.resolve(`Accepted as ${await this.#accept(incoming, name)}`);
      },
      onBroken: (broken, error) => {
        incoming.sizeBytes = broken.sizeBytes;
        incoming.comment = readFrameComment(broken.head);
        return this.#breakOff(incoming, error);
      },
      onClosed: (ended) => {
        this.#receiving.delete(ended);
        closed.resolve();
      },
    });
    this.#receiving.add(file);
    this.#background(closed.promise);
    return { file, reply: reply.promise };
  }

  /** Bytes on the disk of an upload that waits for its rename. */
  async size(session: UploadSession, givenName: string): Promise<number> {
    return (await stat(this.#find(session, cleanName(givenName)).path)).size;
  }

  /**
   * `X.part` → `X`: the acceptance. Gives the upload's id.
   * @throws {FtpRefusal} 553 for any other rename, 550 for an unknown file, 451 or 452 when the disk fails
   */
  async rename(session: UploadSession, from: string, to: string): Promise<string> {
    const name = cleanName(to);
    if (cleanName(from) !== `${name}${PART}`) {
      throw new FtpRefusal(553, 'Only NAME.part can be renamed, and only to NAME');
    }
    return this.#accept(this.#find(session, `${name}${PART}`), name);
  }

  /** Accepts a file that lies in the inbox under a name of somebody else; gives its id. */
  async adopt(path: string): Promise<string> {
    const comment = readFrameComment(await readHead(path));
    const { size } = await stat(path);
    return this.#enter(path, comment?.camera ?? 'inbox', basename(path), size, comment);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#sweepTimer?.cancel();
    for (const file of this.#receiving) file.destroy(new Error('the server is closing'));
    await Promise.allSettled(this.#running);
  }

  #find(session: UploadSession, name: string): Incoming {
    const own = session.files.get(name);
    if (own?.phase === 'stored') return own;
    if (own?.phase === 'receiving') throw new FtpRefusal(450, `${name} is being uploaded`);
    for (const other of this.#sessions) {
      // a camera that lost its control connection may go on in a new one
      if (other.camera !== session.camera || other.closedAtMs === undefined) continue;
      const orphan = other.files.get(name);
      if (orphan?.phase === 'stored') return orphan;
    }
    throw new FtpRefusal(550, `${name} is not here`);
  }

  async #accept(incoming: Incoming, name: string): Promise<string> {
    incoming.phase = 'taken';
    try {
      const { camera } = incoming.session;
      const id = await this.#track(
        this.#enter(incoming.path, camera, name, incoming.sizeBytes, incoming.comment),
      );
      this.#drop(incoming);
      this.#timeoutsInARow = 0;
      this.#refusedInARow = 0;
      this.#background(this.#broken.accepted(camera, name, id));
      return id;
    } catch (error) {
      incoming.phase = 'stored'; // the file is back in incoming/: the client may try again
      throw this.#storageRefusal(error);
    }
  }

  async #enter(
    source: string,
    camera: string,
    name: string,
    sizeBytes: number,
    comment: FrameComment | undefined,
  ): Promise<string> {
    const { inboxDir, records, files, clock, logger } = this.#options;
    files.check('accept', name);
    const acceptedAt = clock.now();
    const id = this.#nextId(acceptedAt);
    const extension = extensionOf(name);
    const target = join(inboxDir, `${id}.${extension}`);
    const traceId = comment?.traceId ?? randomUUID();
    const record: IntakeRecord = { id, camera, name, extension, sizeBytes, acceptedAt, traceId };
    this.#accepting.add(id);
    try {
      await syncFile(source);
      await rename(source, target);
    } catch (error) {
      this.#accepting.delete(id);
      throw error;
    }
    try {
      await syncFolder(inboxDir);
      await records.append(record);
    } catch (error) {
      await rename(target, source); // when even that fails the id stays set apart: its file must not become work
      this.#accepting.delete(id);
      throw error;
    }
    this.#accepting.delete(id);
    logger.info({ traceId, uploadId: id, camera, name, sizeBytes }, 'upload accepted');
    this.#options.onAccepted(record);
    return id;
  }

  async #breakOff(incoming: Incoming, error: Error): Promise<void> {
    const { sizeBytes } = incoming;
    if (error instanceof UploadTimeoutError) {
      await this.#giveUp(incoming, 'UPLOAD_TIMEOUT', `no bytes for ${this.#options.uploadTimeoutMs} ms`);
    } else if (error instanceof FtpRefusal && error.cause === undefined) {
      await this.#giveUp(incoming, 'TOO_LARGE', `cut off after ${sizeBytes} bytes`);
    } else {
      const why = error.cause instanceof Error ? error.cause : error;
      const code = isErrorCode(why, ...NO_SPACE) ? 'DISK_FULL' : 'INCOMPLETE_UPLOAD';
      await this.#giveUp(incoming, code, `broke after ${sizeBytes} bytes: ${why.message}`);
    }
  }

  /** Moves a partial file to quarantine. */
  async #giveUp(incoming: Incoming, code: string, message: string): Promise<void> {
    if (incoming.phase === 'taken') return;
    incoming.phase = 'taken';
    this.#drop(incoming);
    if (code === 'UPLOAD_TIMEOUT') this.#countTimeout();
    await this.#broken.hold(incoming.path, `${basename(incoming.path).split('~')[0]}${PART}`, {
      code,
      message,
      uploadId: null,
      camera: incoming.session.camera,
      name: baseName(incoming.name),
      traceId: incoming.comment?.traceId ?? randomUUID(),
    });
  }

  #countTimeout(): void {
    const { timeoutAlertCount, sink } = this.#options;
    this.#timeoutsInARow++;
    if (this.#timeoutsInARow % timeoutAlertCount !== 0) return;
    sink.alert('UPLOAD_TIMEOUTS', this.#timeoutsInARow, `${this.#timeoutsInARow} uploads in a row timed out`);
  }

  #armSweep(): void {
    if (this.#closed) return;
    const { clock, uploadTimeoutMs } = this.#options;
    this.#sweepTimer = clock.after(Math.min(1000, uploadTimeoutMs / 5), () => {
      this.#sweep();
      this.#armSweep();
    });
  }

  /** Gives up whole `.part` files that nobody renamed, and tries again what could not be quarantined. */
  #sweep(): void {
    const { clock, uploadTimeoutMs } = this.#options;
    this.#background(this.#broken.retry());
    const nowMs = clock.monotonicMs();
    for (const session of this.#sessions) {
      const { closedAtMs, files } = session;
      for (const incoming of files.values()) {
        if (incoming.phase !== 'stored') continue;
        const waitedMs = nowMs - Math.max(incoming.storedAtMs, closedAtMs ?? 0);
        const patienceMs = closedAtMs === undefined ? uploadTimeoutMs * CONNECTED_PATIENCE : uploadTimeoutMs;
        if (waitedMs < patienceMs) continue;
        this.#background(
          this.#giveUp(incoming, 'UPLOAD_TIMEOUT', `not renamed within ${Math.round(patienceMs)} ms`),
        );
      }
      if (closedAtMs !== undefined && files.size === 0) this.#sessions.delete(session);
    }
  }

  #drop(incoming: Incoming): void {
    const { files } = incoming.session;
    if (files.get(incoming.name) === incoming) files.delete(incoming.name);
  }

  #storageRefusal(error: unknown): FtpRefusal {
    if (error instanceof FtpRefusal) return error;
    this.#options.logger.error({ err: error }, 'upload could not be stored');
    const faultId = error instanceof Error ? readFaultMark(error.message) : undefined;
    const mark = faultId === undefined ? '' : ` ${faultMark(faultId)}`;
    if (isErrorCode(error, ...NO_SPACE)) {
      this.#options.disk.reportFull();
      return new FtpRefusal(452, `Insufficient storage space${mark}`, { cause: error });
    }
    if (++this.#refusedInARow === 1) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'an unknown error';
      this.#options.sink.alert('UPLOAD_STORAGE', 1, `uploads cannot be stored: ${code}`);
    }
    return new FtpRefusal(451, `The upload could not be stored${mark}`, { cause: error });
  }

  #background(work: Promise<void>): void {
    this.#track(work).catch((error: unknown) =>
      this.#options.logger.error({ err: error }, 'work on an upload failed'),
    );
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const done = work.then(
      () => {},
      () => {},
    );
    this.#running.add(done);
    void done.then(() => this.#running.delete(done));
    return work;
  }
}

async function readHead(path: string): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const head = Buffer.alloc(64 * 1024);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function baseName(name: string): string {
  return name.endsWith(PART) ? name.slice(0, -PART.length) : name;
}

function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded; // not a file of ours
  }
}

/** The last part of a path, as far as it can stand in a file name of ours. */
function cleanName(givenName: string): string {
  const name = basename(givenName.replaceAll('\\', '/'));
  const isSafe = /^[^\p{Cc}/~]+$/u.test(name) && name !== '.' && name !== '..' && name !== PART;
  if (!isSafe || encodeURIComponent(name).length > MAX_NAME_BYTES) {
    throw new FtpRefusal(553, 'File name not allowed');
  }
  return name;
}
