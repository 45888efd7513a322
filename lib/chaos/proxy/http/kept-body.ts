const FIRST_BYTES = 16 * 1024;

/** A body collected piece by piece in one buffer, so that many small pieces cost no more than their bytes. */
export class KeptBody {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#sizeBytes);
  }

  push(part: Buffer): void {
    const needed = this.#sizeBytes + part.length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#sizeBytes);
      this.#bytes = larger;
    }
    part.copy(this.#bytes, this.#sizeBytes);
    this.#sizeBytes = needed;
  }
}
