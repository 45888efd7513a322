import { createHash, randomUUID } from 'node:crypto';
import { type Clock, sleep, type Timer } from '#lib/chaos/clock.ts';
import type { FaultInjector } from '#lib/chaos/faults/injector.ts';
import type { Random } from '#lib/chaos/random.ts';
import type { Logger } from '../logging.ts';
import type { AppendLog } from '../pipeline/intake/append-log.ts';
import { writeFrameComment } from '../pipeline/intake/frame-comment.ts';
import type { FrameSource } from './frame-source.ts';
import type { FtpUploader } from './ftp-uploader.ts';
import type { SequenceStore } from './sequence-store.ts';
import type { ExtraUpload, UploadFaults } from './upload-faults.ts';

/** A line of `cameras/accepted.jsonl`: the witness from outside of what the intake has answered for. */
export interface AcceptedUpload {
  name: string;
  /** As named in the answer; null when it named none. */
  uploadId: string | null;
  camera: string;
  sequence: number;
  /** Epoch ms. */
  capturedAt: number;
  acceptedAt: number;
  sizeBytes: number;
  sha256: string;
  /** The fault that uploaded it beside a frame; absent for the frame itself. */
  extra?: string;
}

export interface CameraOptions {
  name: string;
  source: FrameSource;
  uploader: FtpUploader;
  injector: FaultInjector;
  faults: UploadFaults;
  sequences: SequenceStore;
  acceptedLog: AppendLog;
  /** Time between two frames, ms; null takes none. */
  intervalMs: number | null;
  /** Time to the first frame, ms, so that cameras do not all shoot at once. */
  firstAfterMs: number;
  /** Frames kept while the intake does not answer; beyond it the camera takes no new ones. */
  maxPending: number;
  /** First pause after a failed upload, ms; doubles up to `retryCapMs`, plus 0–25 %. */
  retryMs: number;
  retryCapMs: number;
  clock: Clock;
  random: Random;
  logger: Logger;
  onUploaded: (tookMs: number) => void;
}

interface Frame {
  readonly name: string;
  readonly sequence: number;
  readonly capturedAt: number;
  readonly traceId: string;
  readonly bytes: Buffer;
}

/** Takes frames on time and uploads them in order; a frame is kept until the intake's final positive answer. */
export class Camera {
  readonly #options: CameraOptions;
  readonly #pending: Frame[] = [];
  readonly #stopped = new AbortController();
  #timer: Timer | undefined;
  #capturing: Promise<void> = Promise.resolve();
  #uploading: Promise<void> = Promise.resolve();
  #isUploading = false;
  #accepted = 0;
  #failed = 0;
  #skipped = 0;
  #lastAcceptedAt: number | null = null;
  #lastError: string | null = null;

  constructor(options: CameraOptions) {
    this.#options = options;
  }

  get status() {
    return {
      name: this.#options.name,
      accepted: this.#accepted,
      pending: this.#pending.length,
      failed: this.#failed,
      lastAcceptedAt: this.#lastAcceptedAt,
      lastError: this.#lastError,
    };
  }

  /** Frames that were not taken because too many were waiting. */
  get skipped(): number {
    return this.#skipped;
  }

  start(): void {
    const { intervalMs, firstAfterMs, clock } = this.#options;
    if (intervalMs !== null) this.#arm(clock.monotonicMs() + firstAfterMs, intervalMs);
  }

  /** Frames that were not answered for are gone with the camera: nobody was promised anything about them. */
  async close(): Promise<void> {
    this.#stopped.abort(new Error('the camera is closing'));
    this.#timer?.cancel();
    this.#options.uploader.close();
    await this.#capturing;
    await this.#uploading;
    this.#options.uploader.close();
  }

  #arm(dueMs: number, intervalMs: number): void {
    const { clock } = this.#options;
    this.#timer = clock.after(dueMs - clock.monotonicMs(), () => {
      this.#capturing = this.#capture().then(() => {
        if (this.#stopped.signal.aborted) return;
        const nextMs = dueMs + intervalMs;
        this.#arm(Math.max(nextMs, clock.monotonicMs()), intervalMs);
      });
    });
  }

  async #capture(): Promise<void> {
    const { name: camera, source, sequences, clock, maxPending } = this.#options;
    if (this.#pending.length >= maxPending) {
      this.#skipped++;
      return;
    }
    try {
      const sequence = await sequences.next(camera);
      const capturedAt = clock.now();
      const traceId = randomUUID();
      const bytes = writeFrameComment(await source.frame(sequence), {
        camera,
        sequence,
        capturedAt,
        traceId,
      });
      const name = `${camera}-${String(sequence).padStart(8, '0')}.jpg`;
      this.#pending.push({ name, sequence, capturedAt, traceId, bytes });
    } catch (error) {
      this.#fail(error, 'frame could not be taken');
      return;
    }
    if (this.#isUploading) return;
    this.#isUploading = true;
    this.#uploading = this.#uploadAll().finally(() => {
      this.#isUploading = false;
    });
  }

  async #uploadAll(): Promise<void> {
    const { clock, random, retryMs, retryCapMs } = this.#options;
    const { signal } = this.#stopped;
    for (let attempts = 0; !signal.aborted; ) {
      const frame = this.#pending[0];
      if (!frame) return;
      try {
        await this.#sabotage(frame);
        await this.#upload(frame);
        this.#pending.shift();
        attempts = 0;
        await this.#sendExtras(frame);
      } catch (error) {
        if (signal.aborted) return;
        this.#fail(error, 'frame not accepted, to be sent again', frame);
        const delayMs = Math.min(retryCapMs, retryMs * 2 ** attempts++) * (1 + random() * 0.25);
        await sleep(clock, delayMs, signal).catch(() => {});
      }
    }
  }

  /** A try at this frame that a fault breaks off. */
  async #sabotage({ name, bytes }: Frame): Promise<void> {
    const { faults, injector, uploader } = this.#options;
    const broken = faults.broken(injector, name);
    if (broken) await uploader.breakOff(name, bytes, broken);
  }

  /** What faults upload beside a frame that was accepted. Each is tried once. */
  async #sendExtras(frame: Frame): Promise<void> {
    const { faults, injector } = this.#options;
    for (const { name, bytes, faultType } of faults.extras(injector, frame.name, frame.bytes)) {
      if (this.#stopped.signal.aborted) return;
      const extra = { ...frame, name, bytes };
      await this.#upload(extra, faultType).catch((error: unknown) => {
        if (!this.#stopped.signal.aborted) this.#fail(error, 'extra upload of a fault not accepted', extra);
      });
    }
  }

  async #upload(frame: Frame, extra?: ExtraUpload['faultType']): Promise<void> {
    const { name: camera, uploader, clock, logger, onUploaded } = this.#options;
    const { name, sequence, capturedAt, traceId, bytes } = frame;
    const startedMs = clock.monotonicMs();
    const uploadId = await uploader.upload(name, bytes);
    const acceptedAt = clock.now();
    onUploaded(clock.monotonicMs() - startedMs);
    this.#accepted++;
    this.#lastAcceptedAt = acceptedAt;
    this.#lastError = null;
    logger.debug({ traceId, uploadId, camera, name }, 'frame accepted');
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await this.#note({
      name,
      uploadId,
      camera,
      sequence,
      capturedAt,
      acceptedAt,
      sizeBytes: bytes.length,
      sha256,
      ...(extra !== undefined && { extra }),
    });
  }

  /** Once answered for, an upload must get into the log, however long that takes; it is not sent again meanwhile. */
  async #note(accepted: AcceptedUpload): Promise<void> {
    const { acceptedLog, clock, retryCapMs } = this.#options;
    while (!this.#stopped.signal.aborted) {
      try {
        await acceptedLog.append(JSON.stringify(accepted));
        return;
      } catch (error) {
        this.#fail(error, 'accepted upload could not be logged');
        await sleep(clock, retryCapMs, this.#stopped.signal).catch(() => {});
      }
    }
  }

  #fail(error: unknown, text: string, frame?: Frame): void {
    this.#failed++;
    this.#lastError = error instanceof Error ? error.message : String(error);
    const { name: camera, logger } = this.#options;
    logger.warn({ err: error, camera, name: frame?.name, traceId: frame?.traceId }, text);
  }
}
