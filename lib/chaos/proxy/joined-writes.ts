/**
 * Between `begin` and `flush`, joins pieces that lie beside each other in memory, as the messages of one chunk do, so
 * that they are written at once: a write costs more than all that a protocol makes of it. Nothing is copied, and the
 * order is kept. Otherwise each piece is written as it comes.
 */
export class JoinedWrites {
  readonly #write: (bytes: Buffer) => void;
  #joining = false;
  #first: Buffer | undefined;
  #lengthBytes = 0;

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  begin(): void {
    this.#joining = true;
  }

  push(bytes: Buffer): void {
    if (!this.#joining) {
      this.#write(bytes);
      return;
    }
    const first = this.#first;
    if (first?.buffer === bytes.buffer && first.byteOffset + this.#lengthBytes === bytes.byteOffset) {
      this.#lengthBytes += bytes.length;
      return;
    }
    this.#pass();
    this.#first = bytes;
    this.#lengthBytes = bytes.length;
  }

  /** Writes what waits. */
  flush(): void {
    this.#joining = false;
    this.#pass();
  }

  #pass(): void {
    const first = this.#first;
    if (!first) return;
    this.#first = undefined;
    const { length, buffer, byteOffset } = first;
    this.#write(length === this.#lengthBytes ? first : Buffer.from(buffer, byteOffset, this.#lengthBytes));
  }
}
