import { type Clock, sleep } from '#lib/chaos/clock.ts';
import type { FaultActivity, FaultEndReason, FaultSpec, InjectorName } from '#lib/chaos/faults/fault.ts';
import { type FaultEffect, FaultInjector } from '#lib/chaos/faults/injector.ts';
import type { AgentAnswer } from '#lib/protocol/events.ts';
import { Life, type SimulatedTime, type Weather, type Wire } from './simulated-time.fixture.ts';

/** One fault where it acts, written down by its effect. */
export interface Acting {
  id: string;
  armedMs: number;
  /** By the last grant that arrived, whoever sent it. */
  dueMs: number;
  /** When its end was begun; undefined while it acts. */
  overMs?: number;
  /** Its end has been carried out. */
  gone: boolean;
  /** The latest moment at which the control process was heard before the end began. */
  heardMs: number;
  /** Its effect took its time or failed. */
  slowMs: number;
}

export type Word = { id: string; reason: FaultEndReason; activity: FaultActivity };

const SLOW_EFFECT_MS = 1500;
const WORD_AGAIN_MS = 2000;

/** A process with a real injector, and what its agent does around it. */
export class SimulatedInjector {
  readonly name: InjectorName;
  readonly instanceId: string;
  readonly life = new Life();
  readonly injector: FaultInjector;
  readonly acting = new Map<string, Acting>();
  wire: Wire | undefined;
  #heardMs = 0;
  #words: Word[] = [];
  #telling = false;
  readonly #time: SimulatedTime;
  readonly #weather: Weather;
  readonly #clock: Clock;
  readonly #tell: (word: Word, told: () => void) => void;

  /** @param tell carries the word of an end to the control process; `told` when it has come back */
  constructor(
    name: InjectorName,
    instanceId: string,
    { time, weather }: { time: SimulatedTime; weather: Weather },
    tell: (word: Word, told: () => void) => void,
  ) {
    this.name = name;
    this.instanceId = instanceId;
    this.#time = time;
    this.#weather = weather;
    this.#tell = tell;
    this.#clock = time.clockOf(this.life);
    this.injector = new FaultInjector({ clock: this.#clock, effect: this.#effect() });
    this.injector.on('ended', ({ fault, reason, activity }) => {
      if (reason !== 'expired' && reason !== 'control_lost') return;
      this.#words.push({ id: fault.id, reason, activity });
      this.tellWords();
    });
  }

  heartbeat(runId: string): void {
    this.#heardMs = this.#time.nowMs;
    this.injector.heartbeat(runId);
  }

  arm(spec: FaultSpec): Promise<AgentAnswer<{ armedInMs: number }>> {
    const { nowMs } = this.#time;
    this.acting.set(spec.id, {
      id: spec.id,
      armedMs: nowMs,
      dueMs: nowMs + spec.ttlMs,
      gone: false,
      heardMs: 0,
      slowMs: 0,
    });
    return answered(this.injector.arm(spec).then(() => ({ armedInMs: 0 })));
  }

  change(spec: FaultSpec): Promise<AgentAnswer<Record<string, never>>> {
    const acting = this.acting.get(spec.id);
    const changed = this.injector.change(spec).then(() => ({}));
    if (acting) acting.dueMs = Math.max(acting.dueMs, this.#time.nowMs + spec.ttlMs);
    return answered(changed);
  }

  end(id: string, reason: FaultEndReason): Promise<AgentAnswer<{ activity: FaultActivity | null }>> {
    return answered(this.injector.end(id, reason).then((activity) => ({ activity: activity ?? null })));
  }

  /** The process is gone, and everything in it. */
  die(): void {
    this.life.dead = true;
    for (const acting of this.acting.values()) {
      acting.overMs ??= this.#time.nowMs;
      acting.heardMs ||= this.#heardMs;
      acting.gone = true;
    }
  }

  /** Repeats what it has ended by itself until the control process knows. */
  tellWords(): void {
    const [word] = this.#words;
    if (!word || this.#telling || !this.wire?.open) return;
    this.#telling = true;
    const again = this.#clock.after(WORD_AGAIN_MS, () => {
      this.#telling = false;
      this.tellWords();
    });
    this.#tell(word, () => {
      if (this.#words[0] !== word) return;
      again.cancel();
      this.#words.shift();
      this.#telling = false;
      this.tellWords();
    });
  }

  #effect(): FaultEffect {
    const { random } = this.#weather;
    const perhaps = async (id: string, failing: number) => {
      const slowMs = random() < 0.04 ? random() * SLOW_EFFECT_MS : 0;
      const acting = this.acting.get(id);
      if (acting) acting.slowMs += slowMs;
      if (slowMs > 0) await sleep(this.#clock, slowMs);
      if (random() >= failing) return;
      throw new Error('the effect fails');
    };
    return {
      arm: async ({ id }) => {
        try {
          await perhaps(id, 0.02);
        } catch (error) {
          this.#over(id);
          throw error;
        }
      },
      change: ({ id }) => perhaps(id, 0.02),
      end: async ({ id }) => {
        const acting = this.#over(id, false);
        await perhaps(id, 0.03);
        if (acting) acting.gone = true;
      },
    };
  }

  #over(id: string, gone = true): Acting | undefined {
    const acting = this.acting.get(id);
    if (!acting) return undefined;
    acting.gone ||= gone;
    if (acting.overMs === undefined) {
      acting.overMs = this.#time.nowMs;
      acting.heardMs = this.#heardMs;
    }
    return acting;
  }
}

function answered<T>(work: Promise<T>): Promise<AgentAnswer<T>> {
  return work.then(
    (data) => ({ ok: true, data }),
    (error: Error) => ({ ok: false, code: 'INTERNAL', message: error.message }),
  );
}
