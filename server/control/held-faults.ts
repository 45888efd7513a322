import type { Clock } from '../../lib/chaos/clock.ts';
import type { InjectorName } from '../../lib/chaos/faults/fault.ts';
import type { ActiveFault } from '../../lib/protocol/events.ts';
import type { Fault } from '../../lib/protocol/faults.ts';
import type { HeldFault } from './held-fault.ts';

/** The faults that the desk answers for, and for a while those that it has just let go of. */
export class HeldFaults {
  readonly #held = new Map<string, HeldFault>();
  readonly #clock: Clock;
  readonly #recentMs: number;
  #recent: { fault: ActiveFault; untilMs: number }[] = [];

  /** @param recentMs how long a fault that is gone stays in `active`, ms */
  constructor(clock: Clock, recentMs: number) {
    this.#clock = clock;
    this.#recentMs = recentMs;
  }

  add(held: HeldFault): void {
    this.#held.set(held.id, held);
  }

  get(id: string): HeldFault | undefined {
    return this.#held.get(id);
  }

  /** One that anybody may still see or stop; not one that is being armed. */
  find(id: string): HeldFault | undefined {
    const held = this.#held.get(id);
    return held && isShown(held) ? held : undefined;
  }

  all(): HeldFault[] {
    return [...this.#held.values()];
  }

  /** Those that stand in the way of another of their kind. */
  present(): HeldFault[] {
    return this.all().filter(isPresent);
  }

  of(name: InjectorName): HeldFault[] {
    return this.all().filter((held) => held.injector === name);
  }

  /** Observed faults, oldest first; one being armed is not yet among them. */
  shown(): Fault[] {
    return this.all()
      .filter(isShown)
      .map((held) => held.toFault());
  }

  /** Also those being armed, and just gone. */
  active(): ActiveFault[] {
    const nowMs = this.#clock.monotonicMs();
    this.#recent = this.#recent.filter((recent) => recent.untilMs > nowMs);
    return [...this.all().map((held) => held.active()), ...this.#recent.map(({ fault }) => fault)];
  }

  forget(held: HeldFault): void {
    held.expiry?.cancel();
    held.phase = { name: 'gone' }; // for whoever still waits for an answer about it
    if (!this.#held.delete(held.id)) return;
    const fault = { ...held.active(), endedAt: this.#clock.now() };
    this.#recent.push({ fault, untilMs: this.#clock.monotonicMs() + this.#recentMs });
  }
}

function isPresent({ phase }: HeldFault): boolean {
  return phase.name !== 'lingering' || phase.shown;
}

function isShown(held: HeldFault): boolean {
  return held.phase.name !== 'arming' && isPresent(held);
}
