import type { Clock, Timer } from '#lib/chaos/clock.ts';
import type { Random } from '#lib/chaos/random.ts';

interface Due {
  atMs: number;
  order: number;
  work: () => void;
}

/** A process as the simulation sees it: what is due for it waits while it is stopped, and is lost with it. */
export class Life {
  dead = false;
  resumedMs = 0;
  #waiting: (() => void)[] | null = null;

  get paused(): boolean {
    return this.#waiting !== null;
  }

  run(work: () => void): void {
    if (this.dead) return;
    if (this.#waiting) this.#waiting.push(work);
    else work();
  }

  /** As SIGSTOP. */
  pause(): void {
    this.#waiting ??= [];
  }

  /** As SIGCONT. */
  resume(nowMs: number): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    this.#waiting = null;
    this.resumedMs = nowMs;
    for (const work of waiting) this.run(work);
  }
}

/** One virtual time for several processes; it moves from event to event, and stands still while real files are written. */
export class SimulatedTime {
  nowMs = 0;
  wallMs = Date.UTC(2026, 0, 1);
  #due: Due[] = [];
  #order = 0;
  #busy = 0;

  clockOf(life: Life): Clock {
    return {
      now: () => Math.round(this.wallMs + this.nowMs),
      monotonicMs: () => this.nowMs,
      after: (delayMs, callback) => this.after(delayMs, () => life.run(callback)),
    };
  }

  after(delayMs: number, work: () => void): Timer {
    const due: Due = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, work };
    let index = this.#due.length;
    while (index > 0 && (this.#due[index - 1]?.atMs ?? 0) > due.atMs) index--;
    this.#due.splice(index, 0, due);
    return {
      cancel: () => {
        const at = this.#due.indexOf(due);
        if (at >= 0) this.#due.splice(at, 1);
      },
    };
  }

  /** Time stands still until `work` is over. */
  async real<T>(work: Promise<T>): Promise<T> {
    this.#busy++;
    return await work.finally(() => {
      this.#busy--;
    });
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    await this.settle();
    for (let next = this.#due[0]; next && next.atMs <= untilMs; next = this.#due[0]) {
      this.#due.shift();
      this.nowMs = next.atMs;
      next.work();
      await this.settle();
    }
    this.nowMs = untilMs;
  }

  /** Resolves when nothing goes on but the wait for later. */
  async settle(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.#busy > 0);
  }
}

export interface Weather {
  random: Random;
  /** Longest usual way of a message, ms. */
  delayMs: number;
  /** Share of messages that take up to `slowMs`. */
  slowRatio: number;
  slowMs: number;
  lossRatio: number;
  /** Share of acknowledgements that arrive twice. */
  twiceRatio: number;
}

/** A connection: in each direction in order, late, and now and then not at all. */
export class Wire {
  open = true;
  readonly #time: SimulatedTime;
  readonly #weather: Weather;
  readonly #readyMs = new Map<Life, number>();

  constructor(time: SimulatedTime, weather: Weather) {
    this.#time = time;
    this.#weather = weather;
  }

  /** @returns false when the message is lost */
  send(to: Life, work: () => void, { sure = false } = {}): boolean {
    const { random, delayMs, slowRatio, slowMs, lossRatio } = this.#weather;
    if (!this.open || (!sure && random() < lossRatio)) return false;
    const wayMs = random() * (random() < slowRatio ? slowMs : delayMs);
    const atMs = Math.max(this.#readyMs.get(to) ?? 0, this.#time.nowMs + wayMs);
    this.#readyMs.set(to, atMs);
    this.#time.after(atMs - this.#time.nowMs, () => {
      if (this.open) to.run(work);
    });
    return true;
  }

  /** An acknowledgement: perhaps twice. */
  reply(to: Life, work: () => void): void {
    this.send(to, work);
    if (this.#weather.random() < this.#weather.twiceRatio) this.send(to, work);
  }
}
