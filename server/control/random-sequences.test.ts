import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { InjectorName } from '#lib/chaos/faults/fault.ts';
import { createRandom, type Random } from '#lib/chaos/random.ts';
import type { ChangeFault, Owner } from '#lib/protocol/faults.ts';
import type { Acting } from './simulated-injector.fixture.ts';
import { type SimulatedControl, SimulatedSystem } from './simulated-system.fixture.ts';

const SEQUENCES = 1000;
const SEED = 3;
const ACTS = 14;
const HOUR_MS = 3_600_000;
const INJECTORS: readonly [InjectorName, ...InjectorName[]] = ['proxy', 'inference', 'supervisor'];
const REST: Owner = { name: 'REST', kind: 'rest' };

const FAULTS = [
  { service: 'redis', type: 'latency' },
  { service: 'redis', type: 'timeout' },
  { service: 'yolo26', type: 'server_error' },
  { service: 'network', type: 'latency' },
  { service: 'gpu', type: 'thermal_throttle' },
  { service: 'pipeline', type: 'process_paused' },
] as const;

/** In memory where there is such a place: each start waits for the disk. */
const BASE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Longest way of a message, and what the two ends need beside it, ms. */
const WAY_MS = 1500;
/** An end that was not acknowledged is given up after 1 s and ordered again after 2 s more. */
const AGAIN_MS = 3000 + WAY_MS;

class Sequence {
  readonly system: SimulatedSystem;
  readonly random: Random;
  readonly #pending: Promise<unknown>[] = [];
  readonly #started: string[] = [];
  /** By every grant that was asked for, answered or not. */
  readonly #askedDueMs = new Map<string, number>();
  readonly #away: { fromMs: number; toMs: number }[] = [];
  readonly #halts: number[] = [];

  constructor(seed: number) {
    this.random = createRandom(seed);
    const weather = {
      random: this.random,
      delayMs: 60,
      slowRatio: 0.05,
      slowMs: WAY_MS,
      lossRatio: 0.04,
      twiceRatio: 0.1,
    };
    this.system = new SimulatedSystem(weather, BASE);
  }

  async play(): Promise<void> {
    const { system } = this;
    await system.startControl();
    for (const name of INJECTORS) system.startInjector(name);
    for (const name of ['Ana', 'Bo']) system.addTab(name);
    await system.time.advance(200);
    const acts: [() => unknown, ...(() => unknown)[]] = [
      () => this.#halt(),
      ...Array<() => unknown>(8).fill(() => this.#start()),
      ...Array<() => unknown>(2).fill(() => this.#change({ ratio: this.random() })),
      ...Array<() => unknown>(3).fill(() => this.#change({ ttlMs: this.#between(1000, 20_000) })),
      () => this.#change({ takeOver: true }),
      () => this.#with(({ desk }) => desk.stop(this.#some(this.#started) ?? '', 'Ana')),
      () => this.#killControl(),
      () => this.#killInjector(),
      () => this.#pause(),
      () => this.#cut(),
      () => this.#fallSilent(),
      () => {
        system.time.wallMs += this.random() < 0.5 ? HOUR_MS : -HOUR_MS;
      },
    ];
    for (let act = 0; act < ACTS; act++) {
      this.#pending.push(Promise.resolve().then(this.#some(acts)).catch(refused));
      await system.time.advance(this.random() < 0.3 ? this.#between(0, 30) : this.#between(30, 2500));
      this.#compareNow();
    }
    for (const tab of system.tabs) tab.answers = false;
    for (let left = 60; left > 0 && !this.#isAtRest(); left--) await system.time.advance(1000);
    await Promise.race([Promise.allSettled(this.#pending), system.time.settle()]);
  }

  /** What must hold when everything has come to rest. */
  judge(): void {
    const { system } = this;
    for (const [name, { injector }] of system.injectors) {
      expect(injector.all(), `${name} holds`).toEqual([]);
    }
    expect(system.control?.desk.faults()).toEqual([]);
    expect(system.openInJournal()).toEqual([]);
    const ends = new Map<string, string[]>();
    const starts = new Set<string>();
    const facts = system.factsInJournal();
    expect(facts.map(({ seq }) => seq)).toEqual(facts.map((_, index) => index + 1));
    for (const fact of facts) {
      if (fact.type === 'faultStarted') starts.add(fact.data.fault.id);
      if (fact.type !== 'faultEnded') continue;
      ends.set(fact.data.faultId, [...(ends.get(fact.data.faultId) ?? []), fact.data.reason]);
    }
    for (const id of this.#started) expect(starts, 'the journal has every start').toContain(id);
    for (const id of starts) expect(ends.get(id), `one end of ${id}`).toHaveLength(1);
    for (const [id, reasons] of ends) if (!starts.has(id)) expect(reasons).toEqual(['control_crashed']);
    for (const acting of system.acting.flatMap((each) => [...each.values()])) this.#judgeLife(acting);
  }

  get count(): { starts: number; lives: number } {
    const lives = this.system.acting.reduce((sum, each) => sum + each.size, 0);
    return { starts: this.#started.length, lives };
  }

  #isAtRest(): boolean {
    const { control, injectors, acting } = this.system;
    return (
      control !== undefined &&
      injectors.size === INJECTORS.length &&
      control.connected.size === INJECTORS.length &&
      control.desk.activeFaults().every(({ endedAt }) => endedAt !== undefined) &&
      acting.every((each) => [...each.values()].every(({ gone }) => gone))
    );
  }

  /** At any moment: what the journal says may act is what the desk answers for. */
  #compareNow(): void {
    const { control } = this.system;
    if (!control || this.random() > 0.25) return;
    const told = control.desk.faults().filter(({ warning }) => warning?.includes('did not acknowledge'));
    const kept = control.desk.activeFaults().filter(({ endedAt }) => endedAt === undefined);
    const expected = kept.map(({ id }) => id).filter((id) => !told.some((each) => each.id === id));
    expect(this.system.openInJournal()).toEqual(expected.sort());
  }

  #judgeLife({ id, armedMs, dueMs, overMs, gone, heardMs, slowMs }: Acting): void {
    const what = `${id}, armed at ${armedMs}`;
    expect(gone, `${what}: gone`).toBe(true);
    const over = overMs ?? Number.POSITIVE_INFINITY;
    const slack = slowMs + this.#awayMs(armedMs, over) + 1;
    expect(over, `${what}: TTL`).toBeLessThanOrEqual(dueMs + slack);
    const asked = this.#askedDueMs.get(id);
    if (asked !== undefined)
      expect(over, `${what}: TTL as asked`).toBeLessThanOrEqual(asked + WAY_MS + slack);
    expect(over, `${what}: silence`).toBeLessThanOrEqual(Math.max(heardMs, armedMs) + 3000 + slack);
    const again = (this.system.failedEnds.get(id) ?? 0) * AGAIN_MS + WAY_MS;
    const owner = this.system.owners.get(id);
    const tab = this.system.tabs.find((each) => each.owner.tabId === owner?.tabId);
    if (owner?.kind === 'browser' && tab) {
      const lost = Math.max(tab.heardMs, armedMs) + 15_000;
      expect(over, `${what}: owner`).toBeLessThanOrEqual(lost + again + slack);
    }
    for (const haltMs of this.#halts) {
      if (armedMs <= haltMs && over > haltMs) {
        expect(over, `${what}: halt`).toBeLessThanOrEqual(haltMs + again + 3000 + slack);
      }
    }
  }

  /** How long control or injectors were stopped between two moments. */
  #awayMs(fromMs: number, toMs: number): number {
    const overlap = (away: { fromMs: number; toMs: number }) =>
      Math.max(0, Math.min(toMs, away.toMs) - Math.max(fromMs, away.fromMs));
    return this.#away.reduce((sum, away) => sum + overlap(away), 0);
  }

  async #with<T>(act: (control: SimulatedControl) => Promise<T>): Promise<T | undefined> {
    const { control } = this.system;
    if (!control || control.life.paused) return undefined;
    return act(control);
  }

  #start(): Promise<unknown> {
    const owner = this.#owner();
    const ttlMs = this.#between(1000, owner.kind === 'browser' ? 40_000 : 10_000);
    const dueMs = this.system.time.nowMs + ttlMs;
    return this.#with(async ({ desk }) => {
      const faults =
        this.random() < 0.2
          ? await desk.startPreset({ name: 'cache_and_ai_down', ttlMs }, owner)
          : [await desk.start({ ...this.#some(FAULTS), ttlMs }, owner)];
      for (const { id } of faults) {
        this.#started.push(id);
        this.#askedDueMs.set(id, Math.max(this.#askedDueMs.get(id) ?? 0, dueMs));
      }
    });
  }

  #change(change: ChangeFault): Promise<unknown> {
    const id = this.#some(this.#started) ?? '';
    // Changes of one fault wait for each other, and a lease counts from when it is sent.
    const waitMs = 3 * WAY_MS;
    if (change.ttlMs) {
      const dueMs = this.system.time.nowMs + waitMs + change.ttlMs;
      this.#askedDueMs.set(id, Math.max(this.#askedDueMs.get(id) ?? 0, dueMs));
    }
    return this.#with(({ desk }) => desk.change(id, change, undefined, this.#owner()));
  }

  async #halt(): Promise<void> {
    const { time } = this.system;
    await this.#with(({ desk }) => {
      this.#halts.push(time.nowMs);
      return desk.halt('Ana', 'random');
    });
    await this.#with(async ({ desk }) => desk.resume('Ana', 'random'));
  }

  async #killControl(): Promise<void> {
    const { system } = this;
    await system.killControl(this.random() < 0.3);
    system.time.after(this.#between(100, 5000), () => {
      if (!system.control) void system.time.real(system.startControl());
    });
  }

  #killInjector(): void {
    const name = this.#some(INJECTORS);
    this.system.killInjector(name);
    this.system.time.after(this.#between(50, 6000), () => {
      if (!this.system.injectors.has(name)) this.system.startInjector(name);
    });
  }

  #cut(): void {
    const injector = this.system.injectors.get(this.#some(INJECTORS));
    if (injector) this.system.cut(injector);
  }

  #pause(): void {
    const { time, control, injectors } = this.system;
    const some = [control?.life, ...[...injectors.values()].map(({ life }) => life)];
    const life = this.#some(some.filter((each) => each !== undefined && !each.paused));
    if (!life) return;
    const forMs = this.#between(100, 6000);
    life.pause();
    this.#away.push({ fromMs: time.nowMs, toMs: time.nowMs + forMs });
    time.after(forMs, () => life.resume(time.nowMs));
  }

  /** A tab is closed, another one comes. */
  #fallSilent(): void {
    const tab = this.#some(this.system.tabs);
    if (tab) tab.answers = false;
    this.system.addTab('Cleo');
  }

  #owner(): Owner {
    if (this.random() < 0.4) return REST;
    return this.#some(this.system.tabs)?.owner ?? REST;
  }

  #some<T>(from: readonly [T, ...T[]]): T;
  #some<T>(from: readonly T[]): T | undefined;
  #some<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.random() * from.length)];
  }

  #between(least: number, most: number): number {
    return Math.round(least + this.random() * (most - least));
  }
}

/** A command that comes at the wrong moment is refused; that is as it should be. */
function refused(): void {}

describe('random sequences of start, change, extend, hand-over, stop, halt, silence and crash', () => {
  it(`${SEQUENCES} of them in virtual time leave no stray fault, and journal, desk and injectors agree (seed ${SEED})`, async () => {
    let starts = 0;
    let lives = 0;
    for (let index = 0; index < SEQUENCES; index++) {
      const sequence = new Sequence(SEED * 1_000_000 + index);
      try {
        await sequence.play();
        sequence.judge();
      } catch (error) {
        throw new Error(`sequence ${index}: ${(error as Error).message}`, { cause: error });
      } finally {
        await sequence.system.close();
      }
      starts += sequence.count.starts;
      lives += sequence.count.lives;
    }
    expect(starts).toBeGreaterThan(2 * SEQUENCES);
    expect(lives).toBeGreaterThan(starts);
  }, 300_000);
});
