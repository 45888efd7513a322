import { LRUCache } from 'lru-cache';
import type { Logger } from '../../logging.ts';
import { isErrorCode } from './durable-file.ts';
import type { Quarantine, QuarantineReason } from './quarantine.ts';

/** A partial file on its way to quarantine. */
interface BrokenUpload {
  readonly path: string;
  /** Its name there. */
  readonly fileName: string;
  readonly reason: QuarantineReason;
}

/** Camera and name of the last so many uploads are remembered. */
const REMEMBERED = 1000;

/** Uploads that never came to their end: to quarantine, and linked to the upload with which the camera tried again. */
export class BrokenUploads {
  readonly #quarantine: Quarantine;
  readonly #logger: Logger;
  /** Quarantined partial files by camera and name. */
  readonly #held = new LRUCache<string, string[]>({ max: REMEMBERED });
  /** The last accepted upload by camera and name: a first try may be given up only after the second was accepted. */
  readonly #acceptedAs = new LRUCache<string, string>({ max: REMEMBERED });
  /** What could not be quarantined. */
  readonly #waiting = new Set<BrokenUpload>();
  #retrying: Promise<void> | undefined;

  constructor(quarantine: Quarantine, logger: Logger) {
    this.#quarantine = quarantine;
    this.#logger = logger;
  }

  /**
   * Never throws: a full disk has no room for the reason, either, and the file waits where it is for `retry` or the
   * next start. The camera was not answered and keeps its frame.
   */
  hold(path: string, fileName: string, reason: QuarantineReason): Promise<void> {
    return this.#hold({ path, fileName, reason });
  }

  /** Tries again what could not be quarantined. */
  retry(): Promise<void> {
    this.#retrying ??= this.#retry().finally(() => {
      this.#retrying = undefined;
    });
    return this.#retrying;
  }

  /** Links what is in quarantine of this camera and name to the upload that was accepted. */
  accepted(camera: string, name: string, uploadId: string): Promise<void> {
    this.#acceptedAs.set(`${camera}/${name}`, uploadId);
    return this.#link(camera, name, uploadId);
  }

  async #retry(): Promise<void> {
    for (const broken of [...this.#waiting]) await this.#hold(broken);
  }

  async #hold(broken: BrokenUpload): Promise<void> {
    const { path, fileName, reason } = broken;
    const { camera, name, code } = reason;
    try {
      await this.#quarantine.hold(path, fileName, reason);
    } catch (error) {
      if (isErrorCode(error, 'ENOENT')) {
        this.#waiting.delete(broken);
        this.#logger.error({ err: error, camera, name, code }, 'partial upload is gone');
      } else if (!this.#waiting.has(broken)) {
        this.#waiting.add(broken);
        this.#logger.error(
          { err: error, camera, name, code },
          'partial upload not quarantined, tried again later',
        );
      }
      return;
    }
    this.#waiting.delete(broken);
    const key = `${camera}/${name}`;
    this.#held.set(key, [...(this.#held.get(key) ?? []), fileName]);
    const acceptedAs = this.#acceptedAs.get(key);
    if (acceptedAs !== undefined) await this.#link(camera, name, acceptedAs);
  }

  async #link(camera: string, name: string, uploadId: string): Promise<void> {
    const key = `${camera}/${name}`;
    const fileNames = this.#held.get(key) ?? [];
    this.#held.delete(key);
    for (const fileName of fileNames) {
      await this.#quarantine
        .link(fileName, uploadId)
        .catch((error: unknown) =>
          this.#logger.warn({ err: error, fileName, uploadId }, 'repeated upload could not be linked'),
        );
    }
  }
}
