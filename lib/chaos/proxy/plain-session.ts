import type { LinkPort, Session } from './session.ts';

const BYTES = { kind: 'bytes' } as const;

/** Bytes that are not understood (encrypted, another protocol): what would be an error reply is a reset here. */
export class PlainSession implements Session {
  readonly holdsBytes = true;
  readonly #link: LinkPort;
  readonly #reason: string;

  constructor(link: LinkPort, reason: string) {
    this.#link = link;
    this.#reason = reason;
    this.faultsChanged();
  }

  fromClient(chunk: Buffer): void {
    const { faults } = this.#link;
    if (faults.quiet) {
      this.#link.toServer(chunk, 0);
      return;
    }
    const outcome = faults.outcome(BYTES);
    if (outcome) {
      this.#link.countHit();
      if (outcome.action === 'hold') this.#link.hold(outcome.fault);
      else this.#link.reset();
      return;
    }
    this.#link.toServer(chunk, faults.delayMs(BYTES));
  }

  fromServer(chunk: Buffer): void {
    this.#link.toClient(chunk);
  }

  atBoundary(): boolean {
    return true;
  }

  faultsChanged(): void {
    this.#link.faults.warn(
      `${this.#reason}: acting on TCP only`,
      'answer',
      'malform',
      'reset',
      'delay',
      'hold',
    );
  }
}
