export const MIB = 2 ** 20;

/**
 * The memory of the card, as the driver hands it out: whole segments, accounted by their sum.
 *
 * A segment is never split across owners and never moves. That it can be taken whenever enough is free is what
 * real drivers do by mapping pages; fragmentation arises above it, in each process's caching allocator.
 */
export class DeviceMemory {
  readonly totalBytes: number;
  #takenBytes = 0;

  /** @throws {RangeError} unless 0 ≤ systemBytes ≤ totalBytes, both whole */
  constructor(totalBytes: number, systemBytes: number) {
    if (!Number.isInteger(totalBytes) || totalBytes <= 0) {
      throw new RangeError(`Expected totalBytes to be a whole number above 0, got ${totalBytes}`);
    }
    this.totalBytes = totalBytes;
    if (!this.take(systemBytes)) {
      throw new RangeError(`Expected systemBytes to be at most ${totalBytes}, got ${systemBytes}`);
    }
  }

  get freeBytes(): number {
    return this.totalBytes - this.#takenBytes;
  }

  /** Takes a segment; false when it does not fit, and then nothing is taken. */
  take(bytes: number): boolean {
    if (!Number.isInteger(bytes) || bytes < 0) {
      throw new RangeError(`Expected bytes to be a whole number of at least 0, got ${bytes}`);
    }
    if (bytes > this.freeBytes) return false;
    this.#takenBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    if (!Number.isInteger(bytes) || bytes < 0 || bytes > this.#takenBytes) {
      throw new RangeError(`Expected bytes to be from 0 to ${this.#takenBytes}, got ${bytes}`);
    }
    this.#takenBytes -= bytes;
  }
}
