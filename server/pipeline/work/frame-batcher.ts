import type { Clock, Timer } from '#lib/chaos/clock.ts';

export interface FrameBatcherOptions<Item, Result> {
  clock: Clock;
  /** A batch waits this long for company, ms. @default 200 */
  waitMs?: number;
  /** Most items in one call now; read when a batch is cut. */
  maxSize: () => number;
  /** One result for each item, in order. */
  run: (items: readonly Item[]) => Promise<Result[]>;
}

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/** Gathers single jobs into calls of at most `maxSize` items; a call that hangs holds up no other. */
export class FrameBatcher<Item, Result> {
  readonly #options: FrameBatcherOptions<Item, Result>;
  readonly #waitMs: number;
  #waiting: Waiting<Item, Result>[] = [];
  #timer: Timer | undefined;

  constructor(options: FrameBatcherOptions<Item, Result>) {
    this.#options = options;
    this.#waitMs = options.waitMs ?? 200;
  }

  /** The item's own result; rejects with what its call rejected with. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#waiting.length >= this.#options.maxSize()) this.#cut();
      else this.#timer ??= this.#options.clock.after(this.#waitMs, () => this.#cut());
    });
  }

  #cut(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const maxSize = Math.max(1, this.#options.maxSize());
    while (this.#waiting.length > 0) void this.#call(this.#waiting.splice(0, maxSize));
  }

  async #call(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#options.run(batch.map(({ item }) => item));
      for (const [index, { resolve, reject }] of batch.entries()) {
        if (index < results.length) resolve(results[index] as Result);
        else reject(new Error('The batch gave fewer results than items'));
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
