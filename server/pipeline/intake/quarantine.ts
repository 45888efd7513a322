import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#lib/chaos/clock.ts';
import type { Logger } from '../../logging.ts';
import type { IntakeSink } from '../contracts.ts';
import { isErrorCode, syncFolder, writeDurably } from './durable-file.ts';
import { uploadIdOfFile } from './upload-id.ts';

export interface QuarantineReason {
  /** For example CORRUPT_IMAGE, TOO_SMALL, UPLOAD_TIMEOUT. */
  code: string;
  message: string;
  /** null: never accepted. */
  uploadId: string | null;
  camera: string;
  name: string;
  traceId: string;
}

/** What lies beside each file as `<file>.json`. Times are epoch ms. */
export interface Sidecar extends QuarantineReason {
  key: string;
  quarantinedAt: number;
  sizeBytes: number;
  /** The dead letter is written. */
  reported: boolean;
  /** The upload with which the camera sent the same name again and was answered. */
  resentAs?: string;
}

export interface QuarantineOptions {
  directory: string;
  /** Beyond this many bytes partial files are removed, oldest first; accepted ones stay and QUARANTINE_FULL is raised. */
  maxBytes: number;
  sink: Pick<IntakeSink, 'deadLetter' | 'linkDeadLetter' | 'alert'>;
  clock: Clock;
  logger: Logger;
}

/**
 * Where refused uploads lie, each with its reason and a dead letter.
 *
 * The sidecar is written first, then the file is moved, then the dead letter is written: a crash in between leaves the
 * file where it was, or an unreported sidecar that `reportPending` (at start and with each scan) makes up for.
 */
export class Quarantine {
  readonly #options: QuarantineOptions;
  /** File names whose dead letter is still owed. */
  readonly #owed = new Set<string>();
  #reporting: Promise<void> | undefined;
  /** What lies here by file name, oldest first; sidecars are not counted. */
  readonly #sizes = new Map<string, number>();
  #totalBytes = 0;
  #isFull = false;

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { directory } = this.#options;
    await mkdir(directory, { recursive: true });
    const names = new Set(await readdir(directory));
    const found: { fileName: string; sidecar: Sidecar }[] = [];
    for (const name of names) {
      if (name.endsWith('.tmp')) await rm(join(directory, name), { force: true });
      if (!name.endsWith('.json')) continue;
      const fileName = name.slice(0, -'.json'.length);
      const sidecar = names.has(fileName) ? await this.read(fileName) : undefined;
      if (sidecar) found.push({ fileName, sidecar });
      else if (!names.has(fileName)) await rm(join(directory, name), { force: true });
      if (sidecar && !sidecar.reported) this.#owed.add(fileName);
    }
    found.sort((a, b) => a.sidecar.quarantinedAt - b.sidecar.quarantinedAt);
    for (const { fileName, sidecar } of found) this.#count(fileName, sidecar.sizeBytes);
    await this.#makeRoom();
    await this.reportPending();
  }

  /**
   * Takes a file in under `fileName`.
   * @throws ENOENT when the source is gone, and whatever the disk says; the file then stays where it was
   */
  async hold(source: string, fileName: string, reason: QuarantineReason): Promise<void> {
    const { directory, clock, logger } = this.#options;
    const { size } = await stat(source);
    const quarantinedAt = clock.now();
    const sidecar: Sidecar = {
      ...reason,
      key: `upload:${reason.uploadId ?? fileName}:${quarantinedAt}`,
      quarantinedAt,
      sizeBytes: size,
      reported: false,
    };
    await this.#write(fileName, sidecar);
    await rename(source, join(directory, fileName));
    await syncFolder(directory);
    this.#owed.add(fileName);
    this.#count(fileName, size);
    logger.warn(
      { traceId: reason.traceId, uploadId: reason.uploadId, camera: reason.camera, name: reason.name },
      `quarantined: ${reason.code}: ${reason.message}`,
    );
    void this.reportPending().then(() => this.#makeRoom());
  }

  /** Waits for the dead letter that is being written. */
  async close(): Promise<void> {
    await this.#reporting;
  }

  /** Writes the dead letters that are owed; one that fails is tried again at the next call. Never throws. */
  reportPending(): Promise<void> {
    this.#reporting = (this.#reporting ?? Promise.resolve()).then(() => this.#report());
    return this.#reporting;
  }

  /** Notes that the camera sent a file that was never accepted again, as `uploadId`. */
  async link(fileName: string, uploadId: string): Promise<void> {
    await this.reportPending();
    const sidecar = await this.read(fileName);
    if (!sidecar) return;
    await this.#write(fileName, { ...sidecar, resentAs: uploadId });
    await this.#options.sink.linkDeadLetter(sidecar.key, uploadId);
  }

  /**
   * Moves the file of an upload back to `target`, for another validation.
   * @returns false when it is not here
   */
  async release(fileName: string, target: string): Promise<boolean> {
    try {
      await rename(this.#path(fileName), target);
    } catch (error) {
      if (isErrorCode(error, 'ENOENT')) return false;
      throw error;
    }
    this.#owed.delete(fileName);
    this.#uncount(fileName);
    await rm(this.#path(`${fileName}.json`), { force: true });
    return true;
  }

  async read(fileName: string): Promise<Sidecar | undefined> {
    try {
      return JSON.parse(await readFile(this.#path(`${fileName}.json`), 'utf8')) as Sidecar;
    } catch (error) {
      if (!isErrorCode(error, 'ENOENT')) {
        this.#options.logger.warn({ err: error, fileName }, 'sidecar of a quarantined file cannot be read');
      }
      return undefined;
    }
  }

  /** Ids of accepted uploads that lie here. */
  async ids(): Promise<ReadonlySet<string>> {
    const ids = new Set<string>();
    for (const name of await readdir(this.#options.directory)) {
      const id = uploadIdOfFile(name);
      if (id) ids.add(id);
    }
    return ids;
  }

  #count(fileName: string, sizeBytes: number): void {
    this.#uncount(fileName);
    this.#sizes.set(fileName, sizeBytes);
    this.#totalBytes += sizeBytes;
  }

  #uncount(fileName: string): void {
    this.#totalBytes -= this.#sizes.get(fileName) ?? 0;
    this.#sizes.delete(fileName);
  }

  /** Never throws. Nobody was promised anything about a partial file, and its dead letter stays. */
  async #makeRoom(): Promise<void> {
    const { maxBytes, sink, logger } = this.#options;
    if (this.#totalBytes <= maxBytes && !this.#isFull) return;
    let removed = 0;
    for (const fileName of [...this.#sizes.keys()]) {
      if (this.#totalBytes <= maxBytes) break;
      if (uploadIdOfFile(fileName) !== undefined || this.#owed.has(fileName)) continue;
      this.#uncount(fileName);
      removed++;
      for (const name of [fileName, `${fileName}.json`]) {
        await rm(this.#path(name), { force: true }).catch((error: unknown) =>
          logger.warn({ err: error, name }, 'quarantined file could not be removed'),
        );
      }
    }
    if (removed > 0) logger.warn({ removed }, 'quarantine is full: oldest partial files removed');
    const accepted = [...this.#sizes].filter(([fileName]) => uploadIdOfFile(fileName) !== undefined);
    const isFull = accepted.reduce((total, [, sizeBytes]) => total + sizeBytes, 0) > maxBytes;
    if (isFull && !this.#isFull) {
      sink.alert('QUARANTINE_FULL', accepted.length, `${accepted.length} uploads lie in quarantine`);
    }
    this.#isFull = isFull;
  }

  async #report(): Promise<void> {
    for (const fileName of [...this.#owed]) {
      try {
        const sidecar = await this.read(fileName);
        if (sidecar && this.#owed.has(fileName)) {
          const { key, code, message, uploadId, camera, name, traceId } = sidecar;
          await this.#options.sink.deadLetter({
            key,
            queue: 'upload',
            code,
            message,
            uploadId,
            camera,
            name,
            traceId,
          });
          if (this.#owed.has(fileName)) await this.#write(fileName, { ...sidecar, reported: true });
        }
        this.#owed.delete(fileName);
      } catch (error) {
        this.#options.logger.warn({ err: error, fileName }, 'dead letter not written, to be tried again');
      }
    }
  }

  #write(fileName: string, sidecar: Sidecar): Promise<void> {
    return writeDurably(this.#path(`${fileName}.json`), `${JSON.stringify(sidecar, null, 2)}\n`);
  }

  #path(name: string): string {
    return join(this.#options.directory, name);
  }
}
