import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { InjectorName } from '#lib/chaos/faults/fault.ts';
import type { AgentAnswer } from '#lib/protocol/events.ts';
import type { Fact } from '#lib/protocol/facts.ts';
import type { Owner } from '#lib/protocol/faults.ts';
import { FactLog } from './fact-log.ts';
import { FaultDesk, type FaultDeskOptions } from './fault-desk.ts';
import type { InjectorLink } from './injector-link.ts';
import type { JournalLine } from './journal.ts';
import { Leases } from './leases.ts';
import { type Acting, SimulatedInjector } from './simulated-injector.fixture.ts';
import { Life, SimulatedTime, type Weather, Wire } from './simulated-time.fixture.ts';

const logger = pino({ level: 'silent' });
const ACK_TIMEOUT_MS = 1000;
const KEEPALIVE_MS = 1000;
const LEASE_ANSWER_MS = 12_000;
const RECONNECT_MS = 300;

/** A tab of a browser: answers lease questions while it is there. */
export interface SimulatedTab {
  owner: Owner;
  answers: boolean;
  /** When its last answer, or its coming, reached the control process. */
  heardMs: number;
}

/** The control process: real desk, leases, fact log and journal. */
export interface SimulatedControl {
  life: Life;
  runId: string;
  desk: FaultDesk;
  leases: Leases;
  log: FactLog;
  connected: Map<InjectorName, SimulatedInjector>;
}

/**
 * A control process and its injectors in one process, over wires that delay and lose, in virtual time.
 *
 *     FaultDesk, Leases, FactLog + Journal on disk ──Wire──► FaultInjector (one for each process)
 *
 * Everything but the wires, the effects and the clock is the real thing. The wires do what the sockets do: messages
 * in order, an acknowledgement within 1 s or none, a keepalive a second, hello first.
 */
export class SimulatedSystem {
  readonly time = new SimulatedTime();
  readonly dir: string;
  readonly injectors = new Map<InjectorName, SimulatedInjector>();
  /** Of every process there ever was. */
  readonly acting: Map<string, Acting>[] = [];
  readonly facts: Fact[] = [];
  readonly owners = new Map<string, Owner>();
  /** Ends that were ordered and not acknowledged in time, by fault. */
  readonly failedEnds = new Map<string, number>();
  readonly tabs: SimulatedTab[] = [];
  control: SimulatedControl | undefined;
  readonly #weather: Weather;
  #runs = 0;
  #instances = 0;

  constructor(weather: Weather, base = tmpdir()) {
    this.#weather = weather;
    this.dir = mkdtempSync(join(base, 'brownout-simulated-'));
  }

  async startControl(): Promise<void> {
    const life = new Life();
    const clock = this.time.clockOf(life);
    const runId = `run-${this.#runs++}`;
    const opening = FactLog.open({ dir: this.dir, logger, clock, syncEveryMs: 3_600_000 });
    const { log, open, halted } = await this.time.real(opening);
    const connected = new Map<InjectorName, SimulatedInjector>();
    const guarded = this.#guard(life, log);
    const link = this.#link(life, connected);
    const desk = new FaultDesk({ link, log: guarded, logger, remaining: () => [], clock });
    const leases = new Leases({ desk, log: guarded, clock });
    log.subscribe((fact) => this.#learn(fact));
    const push = () => {
      for (const each of connected.values()) each.wire?.send(each.life, () => each.heartbeat(runId));
    };
    desk.on('changed', push);
    const beat = () => {
      push();
      clock.after(KEEPALIVE_MS, beat);
    };
    beat();
    log.tell('controlStarted', 'control', { runId });
    desk.recover(open, halted);
    this.control = { life, runId, desk, leases, log, connected };
    for (const tab of this.tabs) this.#join(tab);
  }

  /** kill -9; a line that was just being written may stay torn. */
  async killControl(torn: boolean): Promise<void> {
    const { control } = this;
    if (!control) return;
    this.control = undefined;
    control.life.dead = true;
    for (const injector of this.injectors.values()) this.cut(injector);
    await this.time.real(control.log.close());
    if (!torn) return;
    const newest = readdirSync(this.dir).sort().at(-1);
    if (newest) appendFileSync(join(this.dir, newest), '{"kind":"fact","fact":{"seq":');
  }

  startInjector(name: InjectorName): void {
    const instanceId = `${name}-${this.#instances++}`;
    const made = new SimulatedInjector(
      name,
      instanceId,
      { time: this.time, weather: this.#weather },
      (word, told) => {
        const { control } = this;
        const { wire } = made;
        if (!control || !wire) return;
        wire.send(control.life, () => {
          control.desk.endedByInjector(word.id, word.reason, word.activity);
          wire.reply(made.life, told);
        });
      },
    );
    this.injectors.set(name, made);
    this.acting.push(made.acting);
    this.#connect(made);
  }

  killInjector(name: InjectorName): void {
    const killed = this.injectors.get(name);
    if (!killed) return;
    this.injectors.delete(name);
    killed.die();
    this.cut(killed);
  }

  /** Ends a connection; both sides notice, the process comes back by itself. */
  cut(injector: SimulatedInjector): void {
    const { control } = this;
    if (!injector.wire?.open) return;
    injector.wire.open = false;
    this.#connectLater(injector);
    control?.life.run(() => {
      if (control.connected.get(injector.name) !== injector) return;
      control.connected.delete(injector.name);
      control.desk.agentLeft(injector.name);
    });
  }

  addTab(name: string): SimulatedTab {
    const tab = {
      owner: { name, kind: 'browser', tabId: `${name}-${this.tabs.length}` } as Owner,
      answers: true,
      heardMs: 0,
    };
    this.tabs.push(tab);
    this.#join(tab);
    return tab;
  }

  /** Ids that the journal's own lines leave open. */
  openInJournal(): string[] {
    const open = new Set<string>();
    for (const line of this.#lines()) {
      if (line.kind === 'checkpoint') {
        open.clear();
        for (const { id } of line.open) open.add(id);
      } else if (line.kind === 'arming') open.add(line.intent.id);
      else if (line.kind === 'notArmed') open.delete(line.id);
      else if (line.kind === 'fact' && line.fact.type === 'faultEnded') open.delete(line.fact.data.faultId);
    }
    return [...open].sort();
  }

  /** Facts as the journal's files have them. */
  factsInJournal(): Fact[] {
    return this.#lines().flatMap((line) => (line.kind === 'fact' ? [line.fact] : []));
  }

  async close(): Promise<void> {
    await this.killControl(false);
    for (const { life } of this.injectors.values()) life.dead = true;
    rmSync(this.dir, { recursive: true, force: true });
  }

  #lines(): JournalLine[] {
    return readdirSync(this.dir)
      .sort()
      .flatMap((name) => readFileSync(join(this.dir, name), 'utf8').split('\n'))
      .filter((row) => row.endsWith('}'))
      .map((row) => JSON.parse(row) as JournalLine);
  }

  /** What a dead process would have written is not written. */
  #guard(life: Life, log: FactLog): FaultDeskOptions['log'] {
    return {
      tell: (...args) => (life.dead ? ({} as Fact) : log.tell(...args)),
      arming: (intent) => (life.dead ? undefined : log.arming(intent)),
      notArmed: (id) => (life.dead ? undefined : log.notArmed(id)),
      halting: (halted) => (life.dead ? undefined : log.halting(halted)),
      sync: async () => {
        if (!life.dead) await this.time.real(log.sync());
        if (life.dead) await new Promise(() => {});
      },
    };
  }

  #learn(fact: Fact): void {
    this.facts.push(fact);
    if (fact.type === 'faultStarted' || fact.type === 'faultChanged') {
      this.owners.set(fact.data.fault.id, fact.data.fault.owner);
    }
  }

  #link(life: Life, connected: Map<InjectorName, SimulatedInjector>): InjectorLink {
    const ask = <T>(name: InjectorName, order: (injector: SimulatedInjector) => Promise<AgentAnswer<T>>) =>
      new Promise<AgentAnswer<T>>((resolve, reject) => {
        const injector = connected.get(name);
        const wire = injector?.wire;
        if (!injector || !wire) {
          reject(new Error(`${name} is not connected`));
          return;
        }
        const giveUp = () => life.run(() => reject(new Error(`${name} did not answer`)));
        this.time.after(ACK_TIMEOUT_MS, giveUp);
        wire.send(injector.life, () => {
          void order(injector).then((answer) => wire.reply(life, () => resolve(answer)));
        });
      });
    return {
      instanceOf: (name) => connected.get(name)?.instanceId,
      arm: (name, spec) => ask(name, (injector) => injector.arm(spec)),
      change: (name, spec) => ask(name, (injector) => injector.change(spec)),
      end: async (name, id, reason) => {
        const failed = () => this.failedEnds.set(id, (this.failedEnds.get(id) ?? 0) + 1);
        try {
          const answer = await ask(name, (injector) => injector.end(id, reason));
          if (!answer.ok) failed();
          return answer;
        } catch (error) {
          failed();
          throw error;
        }
      },
    };
  }

  #connectLater(injector: SimulatedInjector): void {
    this.time.after(RECONNECT_MS, () => injector.life.run(() => this.#connect(injector)));
  }

  /** As the agent: outbound, again and again, hello first. */
  #connect(injector: SimulatedInjector): void {
    const { control } = this;
    if (!control || control.life.paused) {
      this.#connectLater(injector);
      return;
    }
    const wire = new Wire(this.time, this.#weather);
    injector.wire = wire;
    const holds = injector.injector.all().map(({ id }) => id);
    wire.send(
      control.life,
      () => {
        control.connected.set(injector.name, injector);
        wire.send(injector.life, () => injector.heartbeat(control.runId), { sure: true });
        control.desk.agentArrived(injector.name, injector.instanceId, holds);
      },
      { sure: true },
    );
    injector.tellWords();
  }

  #join(tab: SimulatedTab): void {
    const { control, time } = this;
    if (!control || !tab.answers) return;
    const wire = new Wire(time, this.#weather);
    tab.heardMs = time.nowMs;
    control.leases.join(
      tab.owner.tabId ?? '',
      tab.owner.name,
      () =>
        new Promise((resolve, reject) => {
          time.after(LEASE_ANSWER_MS, () => reject(new Error('no answer')));
          if (!tab.answers) return;
          wire.reply(control.life, () => {
            tab.heardMs = time.nowMs;
            resolve();
          });
        }),
    );
  }
}
