import { statfs } from 'node:fs/promises';
import type { Clock, Timer } from '#lib/chaos/clock.ts';
import type { Logger } from '../../logging.ts';

/** Share of the file system that is free for us, 0–1. */
export type DiskProbe = (path: string) => Promise<number>;

export const probeDisk: DiskProbe = async (path) => {
  const { bavail, blocks } = await statfs(path);
  return blocks > 0 ? bavail / blocks : 1;
};

export interface DiskSpaceOptions {
  path: string;
  probe: DiskProbe;
  intervalMs: number;
  lowRatio: number;
  fullRatio: number;
  clock: Clock;
  logger: Logger;
  onAlert: (code: 'DISK_LOW' | 'DISK_FULL', text: string) => void;
}

type Level = 'enough' | 'low' | 'full';

/** Watches the free space; each fall to a lower level is told once. */
export class DiskSpace {
  readonly #options: DiskSpaceOptions;
  #freeRatio: number | null = null;
  #level: Level = 'enough';
  #timer: Timer | undefined;
  #closed = false;
  /** Looks begun, and of those that have answered the newest: the answer of an older one is old news. */
  #looks = 0;
  #answered = 0;

  constructor(options: DiskSpaceOptions) {
    this.#options = options;
  }

  /** 0–1; null before the first look and while the file system does not answer. */
  get freeRatio(): number | null {
    return this.#freeRatio;
  }

  get isFull(): boolean {
    return this.#level === 'full';
  }

  async start(): Promise<void> {
    await this.#look();
    this.#arm();
  }

  /** A write said ENOSPC: nothing is taken until the next look finds space. */
  reportFull(): void {
    this.#answered = this.#looks; // what has been looked at so far is older
    this.#move('full');
  }

  /** Looks again now. */
  refresh(): Promise<void> {
    return this.#look();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    if (this.#closed) return;
    this.#timer = this.#options.clock.after(this.#options.intervalMs, () => {
      void this.#look().then(() => this.#arm());
    });
  }

  async #look(): Promise<void> {
    const { path, probe, lowRatio, fullRatio, logger } = this.#options;
    const look = ++this.#looks;
    let freeRatio: number | null = null;
    try {
      freeRatio = await probe(path);
    } catch (error) {
      logger.warn({ err: error, path }, 'free disk space is not known');
    }
    if (look <= this.#answered) return;
    this.#answered = look;
    this.#freeRatio = freeRatio;
    if (freeRatio === null) return;
    this.#move(freeRatio < fullRatio ? 'full' : freeRatio < lowRatio ? 'low' : 'enough');
  }

  #move(level: Level): void {
    const previous = this.#level;
    this.#level = level;
    if (level === previous || level === 'enough' || previous === 'full') return;
    const free = this.#freeRatio === null ? '' : ` (${(this.#freeRatio * 100).toFixed(1)} % free)`;
    const text =
      level === 'full' ? `disk full${free}: uploads are refused with 452` : `disk space is low${free}`;
    this.#options.logger.warn({ freeRatio: this.#freeRatio }, text);
    this.#options.onAlert(level === 'full' ? 'DISK_FULL' : 'DISK_LOW', text);
  }
}
