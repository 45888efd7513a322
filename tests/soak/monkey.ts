import { createRandom, type Random } from '#lib/chaos/random.ts';
import { signalTree } from '#server/supervisor/process-tree.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { type Position, STAGES, type Stage, StageObserver } from './monkey-stages.ts';

const VICTIMS = ['pipeline', 'inference', 'redis', 'database', 'proxy'] as const;
type Victim = (typeof VICTIMS)[number];

interface Blow {
  victim: Victim;
  act: 'SIGKILL' | 'SIGSTOP';
  /** null: killed. */
  pausedMs: number | null;
}

/** One process, or two at once, killed or stopped for a while, and where the work was at that moment. */
export interface Strike {
  /** Since the start, ms. */
  atMs: number;
  wanted: Stage;
  victims: readonly Blow[];
  /** Stages that held something, with how much. */
  hit: Partial<Position>;
  huntedMs: number;
  /** Until something was stored again, ms. */
  idleMs: number;
}

export interface MonkeyOptions {
  seed: number;
  /** Kills and pauses; a stroke that hits two processes counts twice. */
  strikes: number;
  /** Told of each stroke once work goes on after it. */
  onStrike: (strike: Strike) => void;
}

/** What makes a stage last longer, through the product's own faults, where it is too short to be met by chance. */
const WIDENED_BY: Partial<Record<Stage, [service: string, type: string, params?: object]>> = {
  receiving: ['network', 'bandwidth', { services: ['ftp'], rateKibPerSecond: 64 }],
  accepting: ['ftp', 'latency', { latencyMs: 100 }],
  accepted: ['redis', 'latency', { latencyMs: 150 }],
  parked: ['redis', 'connection_error'],
  queued: ['yolo26', 'latency', { latencyMs: 700 }],
  'stored, not acknowledged': ['redis', 'latency', { latencyMs: 150 }],
  batched: ['nemotron', 'latency', { latencyMs: 1500 }],
  'event stored, not acknowledged': ['redis', 'latency', { latencyMs: 150 }],
  publishing: ['pubsub', 'latency', { latencyMs: 150 }],
  'detection owed': ['yolo26', 'timeout'],
  'analysis owed': ['nemotron', 'connection_error'],
};
/** A stage is looked for this long without and this long with its fault. */
const HUNT_MS = { plain: 1500, widened: 15_000 };
/** Also longer than a job's lock lives (6 s), so that work is handed out twice. */
const PAUSE_MS = [300, 8000] as const;
const REST_MS = [200, 2500] as const;
const RECOVERY_MS = 90_000;

/**
 * Kills and pauses processes of a running system, drawn from a seed, each time when the work is in a wanted stage.
 *
 * The pipeline is stopped for a moment, the work is looked at, and when the wanted stage holds something the blow falls
 * before the pipeline goes on: so the stage that was hit is known, not guessed.
 */
export class Monkey {
  readonly strikes: Strike[] = [];
  readonly #system: System;
  readonly #random: Random;
  readonly #options: MonkeyOptions;
  readonly #observer: StageObserver;
  readonly #startedMs = performance.now();
  /** Blows to come: each process is killed once and paused once before any is a second time. */
  readonly #deck: Blow[] = [];

  constructor(system: System, options: MonkeyOptions) {
    this.#system = system;
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#observer = new StageObserver(system);
  }

  /** Kills and pauses so far. */
  get blows(): number {
    return this.strikes.reduce((sum, { victims }) => sum + victims.length, 0);
  }

  /**
   * In turns a kill of the pipeline, in each stage once, and a blow from the deck in a stage that is drawn. A play that
   * is too short for all stages leaves some out.
   */
  async play(): Promise<void> {
    const { strikes } = this.#options;
    const stages = this.#shuffled(STAGES);
    const isEnough = () => this.blows >= strikes && (stages.length === 0 || strikes < 2 * STAGES.length);
    while (!isEnough()) {
      const stage = stages.pop();
      if (stage) await this.#strike(stage, [{ victim: 'pipeline', act: 'SIGKILL', pausedMs: null }]);
      if (!isEnough()) await this.#strike(this.#oneOf(STAGES), this.#drawVictims());
    }
  }

  async close(): Promise<void> {
    await this.#observer.close();
  }

  async #strike(wanted: Stage, victims: readonly Blow[]): Promise<void> {
    const startedMs = performance.now();
    const { position, struckMs } = await this.#hunt(wanted, victims);
    const hit = Object.fromEntries(Object.entries(position).filter(([, count]) => count > 0));
    const strike: Strike = {
      atMs: Math.round(struckMs - this.#startedMs),
      wanted,
      victims,
      hit,
      huntedMs: Math.round(struckMs - startedMs),
      idleMs: 0,
    };
    this.strikes.push(strike);
    await this.#untilWorking();
    if (victims.some(({ victim, act }) => victim === 'pipeline' && act === 'SIGKILL'))
      this.#observer.forgetMemory();
    strike.idleMs = Math.round(performance.now() - struckMs);
    this.#options.onStrike(strike);
    const rest = this.#between(REST_MS);
    await new Promise((resolve) => setTimeout(resolve, rest));
  }

  /** Strikes when the stage holds something, else, in the end, wherever the work is. */
  async #hunt(wanted: Stage, victims: readonly Blow[]): Promise<{ position: Position; struckMs: number }> {
    const startedMs = performance.now();
    const widening = WIDENED_BY[wanted];
    let faultId: string | undefined;
    try {
      for (;;) {
        const huntedMs = performance.now() - startedMs;
        if (!faultId && widening && huntedMs > HUNT_MS.plain) {
          const [service, type, params] = widening;
          faultId = (await this.#system.startFault(service, type, params ? { params } : {})).id;
        }
        const isMet = (position: Position) => position[wanted] > 0 || huntedMs > HUNT_MS.widened;
        const given = await this.#lookAndStrike(victims, isMet).catch((error: unknown) => {
          if (huntedMs > RECOVERY_MS) throw error;
          return undefined; // something is still down, or paused
        });
        if (given) return given;
        const wait = this.#between([10, 120]);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    } finally {
      if (faultId) await this.#system.stopFault(faultId).catch(() => {}); // it may have ended with the proxy
    }
  }

  async #lookAndStrike(
    victims: readonly Blow[],
    isMet: (position: Position) => boolean,
  ): Promise<{ position: Position; struckMs: number } | undefined> {
    const pids = await this.#pids();
    signalTree(pids.pipeline, 'SIGSTOP');
    try {
      const position = await this.#observer.lookTwice();
      if (!isMet(position)) return undefined;
      for (const { victim, act, pausedMs } of victims) {
        signalTree(pids[victim], act);
        if (pausedMs !== null) setTimeout(() => signalTree(pids[victim], 'SIGCONT'), pausedMs);
      }
      return { position, struckMs: performance.now() };
    } finally {
      const isPaused = victims.some(({ victim, pausedMs }) => victim === 'pipeline' && pausedMs !== null);
      if (!isPaused) signalTree(pids.pipeline, 'SIGCONT');
    }
  }

  /** Everything runs, and something was stored since now. */
  async #untilWorking(): Promise<void> {
    const rowsOf = async () => {
      const [row] = await this.#system.sql<{ count: string }>('select count(*) from uploads');
      return Number(row?.count);
    };
    let before: number | undefined;
    await until('work goes on after a blow', RECOVERY_MS, async () => {
      await this.#pids();
      const rows = await rowsOf();
      before ??= rows;
      return rows > before || undefined;
    });
  }

  async #pids(): Promise<Record<Victim, number>> {
    const { supervisor } = await this.#system.state();
    const pidOf = (victim: Victim) => {
      const found = supervisor?.processes.find(({ name }) => name === victim);
      if (found?.state !== 'up' || found.pid === null) throw new Error(`${victim} is ${found?.state}`);
      return found.pid;
    };
    return Object.fromEntries(VICTIMS.map((victim) => [victim, pidOf(victim)])) as Record<Victim, number>;
  }

  /** The next blow from the deck; one time in four the next two, when they are for different processes. */
  #drawVictims(): Blow[] {
    const first = this.#deal();
    if (this.#random() >= 0.25) return [first];
    const second = this.#deal();
    if (second.victim !== first.victim) return [first, second];
    this.#deck.push(second);
    return [first];
  }

  #deal(): Blow {
    if (this.#deck.length === 0) {
      const all = VICTIMS.flatMap((victim): Blow[] => [
        { victim, act: 'SIGKILL', pausedMs: null },
        { victim, act: 'SIGSTOP', pausedMs: Math.round(this.#between(PAUSE_MS)) },
      ]);
      this.#deck.push(...this.#shuffled(all));
    }
    return this.#deck.pop() as Blow;
  }

  #oneOf<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T;
  }

  #shuffled<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, at: this.#random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item);
  }

  #between([least, most]: readonly [number, number]): number {
    return least + this.#random() * (most - least);
  }
}
