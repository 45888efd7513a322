import type { FileHandle } from 'node:fs/promises';
import { Writable } from 'node:stream';
import type { Clock, Timer } from '#lib/chaos/clock.ts';
import { FtpRefusal } from './ftp-refusal.ts';

/** Enough for the APPn segments of a camera and our comment behind them. */
const HEAD_BYTES = 64 * 1024;

export interface IncomingFileOptions {
  handle: FileHandle;
  /** More bytes than this are refused with 552. */
  maxBytes: number;
  /** Silence after which the upload is given up, ms. */
  timeoutMs: number;
  clock: Clock;
  /** Runs before bytes are written. @throws what the disk would say */
  beforeWrite: () => void;
  /** What the upload is refused with when the disk does not take its bytes. */
  refuse: (error: unknown) => Error;
  /** Runs at the end of the data, before the positive reply. What it throws refuses the upload. */
  onEnd: (file: IncomingFile) => Promise<void>;
  /** Runs once the file is closed, when the upload did not come to its end. */
  onBroken: (file: IncomingFile, error: Error) => Promise<void>;
  /** Runs last, however it went. */
  onClosed: (file: IncomingFile) => void;
}

export class UploadTimeoutError extends FtpRefusal {
  constructor(timeoutMs: number) {
    super(426, `Upload timed out: no bytes for ${timeoutMs} ms`);
  }
}

/** Where the bytes of one STOR go. */
export class IncomingFile extends Writable {
  readonly #options: IncomingFileOptions;
  #silence: Timer | undefined;
  #sizeBytes = 0;
  #head = Buffer.alloc(0);

  constructor(options: IncomingFileOptions) {
    super({ emitClose: false }); // ftp-srv takes 'close' listeners for a sign that end() is not needed
    this.#options = options;
    this.on('error', () => {}); // ftp-srv listens once only; a second error must not end the process
    this.#watch();
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The first bytes, to read a comment from. */
  get head(): Buffer {
    return this.#head;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#watch();
    const { handle, maxBytes, beforeWrite, refuse } = this.#options;
    if (this.#sizeBytes + chunk.length > maxBytes) {
      done(new FtpRefusal(552, `More than ${maxBytes} bytes`));
      return;
    }
    if (this.#head.length < HEAD_BYTES) this.#head = Buffer.concat([this.#head, chunk]);
    const write = async () => {
      beforeWrite();
      await handle.writeFile(chunk);
      this.#sizeBytes += chunk.length;
    };
    write().then(
      () => done(),
      (error: unknown) => done(refuse(error)),
    );
  }

  override _final(done: (error?: Error | null) => void): void {
    // After a reset ftp-srv calls end() and destroy() in one turn: an upload that broke must not count as ended.
    setImmediate(() => {
      if (this.destroyed) {
        done();
        return;
      }
      this.#silence?.cancel();
      this.#options.onEnd(this).then(() => done(), done);
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#silence?.cancel();
    const broken = error ?? (this.writableFinished ? undefined : new Error('the connection was closed'));
    this.#options.handle
      .close()
      .then(() => (broken ? this.#options.onBroken(this, broken) : undefined))
      .then(() => done(error), done)
      .finally(() => this.#options.onClosed(this));
  }

  #watch(): void {
    this.#silence?.cancel();
    const { clock, timeoutMs } = this.#options;
    this.#silence = clock.after(timeoutMs, () => this.destroy(new UploadTimeoutError(timeoutMs)));
  }
}
