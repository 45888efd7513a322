import type { FaultSpec } from '#lib/chaos/faults/fault.ts';
import type { Database } from './database.ts';

/** Time for the pool to hand over what a fault wants, before the fault counts as armed, ms. */
const TAKE_MS = 800;
const MINUTE_MS = 60_000;

interface Hold {
  /** Gives a connection back. */
  readonly held: (() => void)[];
  over: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** Faults on `database` that act in the pool of this process: its connections are really held. */
export class PoolFaults {
  readonly #database: Database;
  readonly #onTaken: (faultId: string) => void;
  readonly #holds = new Map<string, Hold>();

  /** @param onTaken told of each connection that a fault got */
  constructor(database: Database, onTaken: (faultId: string) => void) {
    this.#database = database;
    this.#onTaken = onTaken;
  }

  async arm(fault: FaultSpec): Promise<void> {
    const hold: Hold = { held: [], over: false, timer: undefined };
    this.#holds.set(fault.id, hold);
    if (fault.type === 'pool_exhaustion') {
      const taken = Array.from({ length: Number(fault.params['connections']) }, () =>
        this.#take(fault.id, hold),
      );
      // Whoever has one now gives it back in time: the rest follows as it comes.
      await Promise.race([Promise.all(taken), new Promise((resolve) => setTimeout(resolve, TAKE_MS))]);
    } else {
      const intervalMs = MINUTE_MS / Number(fault.params['perMinute']);
      hold.timer = setInterval(() => void this.#leak(fault.id, hold), intervalMs);
      void this.#leak(fault.id, hold);
    }
  }

  async change(fault: FaultSpec, previous: FaultSpec): Promise<void> {
    if (JSON.stringify(fault.params) === JSON.stringify(previous.params)) return; // only its lease changed
    this.end(fault);
    await this.arm(fault);
  }

  end(fault: FaultSpec): void {
    const hold = this.#holds.get(fault.id);
    if (!hold) return;
    this.#holds.delete(fault.id);
    hold.over = true;
    clearInterval(hold.timer);
    for (const giveBack of hold.held) giveBack();
  }

  /** Takes a connection, however long the pool is busy, and keeps it. */
  async #take(faultId: string, hold: Hold): Promise<void> {
    while (!hold.over) {
      try {
        this.#keep(faultId, hold, await this.#database.hold());
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50)); // database away or pool busy: tried again
      }
    }
  }

  /** What careless code would do; without a connection to be had it leaks none. */
  async #leak(faultId: string, hold: Hold): Promise<void> {
    try {
      this.#keep(faultId, hold, await this.#database.leak());
    } catch {
      // the pool is empty, or the database away
    }
  }

  #keep(faultId: string, hold: Hold, giveBack: () => void): void {
    if (hold.over) {
      giveBack();
      return;
    }
    hold.held.push(giveBack);
    this.#onTaken(faultId);
  }
}
