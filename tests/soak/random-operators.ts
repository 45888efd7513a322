import { io, type Socket } from 'socket.io-client';
import { createRandom, type Random } from '#lib/chaos/random.ts';
import type { Ack } from '#lib/protocol/errors.ts';
import type { ConsoleClientEvents, ConsoleServerEvents } from '#lib/protocol/events.ts';
import type { Fault, StartFault } from '#lib/protocol/faults.ts';
import type { ProcessStatus } from '#lib/protocol/state.ts';
import { type LeaseRecord, leaseRecords } from '#tests/support/lease-records.ts';
import { callThrough } from '#tests/support/paths.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';

type Tab = Socket<ConsoleServerEvents, ConsoleClientEvents>;
type Name = ProcessStatus['name'];

const FAULTS: readonly [StartFault, ...StartFault[]] = [
  { service: 'yolo26', type: 'server_error' },
  { service: 'nemotron', type: 'server_error' },
  { service: 'redis', type: 'latency', params: { latencyMs: 100 } },
  { service: 'pubsub', type: 'latency', params: { latencyMs: 100 } },
  { service: 'database', type: 'latency', params: { latencyMs: 100 } },
  { service: 'database', type: 'server_error', ratio: 0.2 },
  { service: 'ftp', type: 'server_error' },
  { service: 'gpu', type: 'thermal_throttle' },
];

/** Ends a sequence by itself. */
const SHORT_MS = [2000, 8000] as const;
/** Longer than an owner may be silent. */
const LONG_MS = 40_000;
const ACTS = 14;
/** How often each act is drawn. */
const WEIGHTS = {
  start: 12,
  change: 4,
  extend: 4,
  handOver: 2,
  stop: 2,
  halt: 1,
  silence: 1,
  kill: 2,
  pause: 2,
};
/** Owner, control process and injector have each had their say by then. */
const DRAIN_MS = 20_000;
/** What an injector may be late on a busy machine. */
const SLACK_MS = 1500;
const SILENCE_MS = 3000;
const CONTROL_LOSS_MS = 5000;

/** People and accidents of one sequence, drawn from a seed. Timing is real, so only the draws repeat. */
export class RandomOperators {
  /** How often each act was done. */
  readonly done: Record<string, number> = {};
  readonly #system: System;
  readonly #random: Random;
  readonly #before: ReadonlySet<string>;
  readonly #tabs: Tab[];
  readonly #pending: Promise<unknown>[] = [];
  readonly #ids: string[] = [];
  /** Until when a fault may live at most by what was asked for it, epoch ms. */
  readonly #dueAt = new Map<string, number>();
  readonly #kills: { name: Name; at: number }[] = [];
  readonly #pauses: { name: Name; from: number; to: number }[] = [];
  #drained: number | null = null;

  constructor(system: System, seed: number) {
    this.#system = system;
    this.#random = createRandom(seed);
    this.#before = new Set(leaseRecords(system).keys());
    this.#tabs = ['Ana', 'Bo'].map((name) => this.#open(name, `${name}-${seed}`));
  }

  async play(): Promise<void> {
    const acts: Record<keyof typeof WEIGHTS, () => unknown> = {
      start: () => this.#start(),
      change: () => this.#change({ ratio: 0.2 + this.#random() * 0.8 }),
      extend: () => this.#change({ ttlMs: this.#between(...SHORT_MS) }),
      handOver: () => this.#change({ takeOver: true }),
      stop: () => this.#call('DELETE', `/faults/${this.#some(this.#ids)}`),
      halt: () => this.#halt(),
      silence: () => this.#tabs[1]?.disconnect(),
      kill: () => this.#kill(),
      pause: () => this.#pause(),
    };
    const drawn = Object.entries(WEIGHTS).flatMap(([name, weight]) => Array<string>(weight).fill(name));
    for (let act = 0; act < ACTS; act++) {
      const name = this.#some(drawn) as keyof typeof WEIGHTS;
      this.done[name] = (this.done[name] ?? 0) + 1;
      this.#pending.push(Promise.resolve(acts[name]()).catch(() => {})); // a process of ours may be away
      await new Promise((resolve) => setTimeout(resolve, this.#between(50, 700)));
    }
  }

  /** Everybody leaves; resolves when everything runs again and no fault is shown. */
  async drain(): Promise<void> {
    await Promise.all(this.#pending);
    for (const tab of this.#tabs) tab.close();
    const leftAt = Date.now();
    await until('no fault is shown', 60_000, async () => (await this.#system.state()).faults.length === 0);
    this.#drained = Date.now() - leftAt;
    await this.#call('POST', '/resume', { reason: 'next sequence' });
    await until('every process is connected', 60_000, async () => {
      const { agents, supervisor } = await this.#system.state();
      return (
        agents.every((agent) => agent.connected) &&
        supervisor?.processes.every((each) => each.state === 'up' || each.state === 'external')
      );
    });
  }

  /** What is not as it must be, in words; empty when all is well. */
  async findings(): Promise<string[]> {
    const found: string[] = [];
    if ((this.#drained ?? 0) > DRAIN_MS)
      found.push(`faults were shown for ${this.#drained} ms after everybody left`);
    for (const [service, call] of Object.entries(callThrough)) {
      await until(`${service} is clean`, 10_000, async () => {
        await call(this.#system);
        return true;
      }).catch((error: Error) => found.push(error.message));
    }
    const records = leaseRecords(this.#system);
    for (const id of this.#ids) {
      if (!records.get(id)?.started) found.push(`${id} was acknowledged and is not in the journal`);
    }
    for (const record of records.values()) {
      if (!this.#before.has(record.id))
        found.push(...this.#judge(record).map((text) => `${record.id} ${text}`));
    }
    return found;
  }

  *#judge({ id, started, ends, open, armedAt, endedAt }: LeaseRecord): Generator<string> {
    if (open) yield 'is open in the journal';
    if (started > 1) yield `started ${started} times`;
    if (started === 1 && ends.length !== 1) yield `ended ${ends.length} times: ${ends.join(', ')}`;
    if (started === 0 && ends.some((reason) => reason !== 'control_crashed'))
      yield `ended without a start: ${ends}`;
    if (armedAt === null) return;
    const lostAt = this.#kills.find(({ name, at }) => name === 'proxy' && at >= armedAt)?.at ?? null;
    const overAt = endedAt ?? lostAt;
    if (overAt === null) {
      yield 'has no end in the log of the proxy, which was not killed';
      return;
    }
    const dueAt = this.#dueAt.get(id);
    if (dueAt !== undefined && overAt > dueAt + this.#pausedMs('proxy', armedAt, overAt) + SLACK_MS)
      yield `lived ${overAt - dueAt} ms beyond its lease`;
    const silences = [
      ...this.#kills.filter(({ name }) => name === 'control').map(({ at }) => at),
      ...this.#pauses
        .filter(({ name, from, to }) => name === 'control' && to - from > SILENCE_MS + SLACK_MS)
        .map(({ from }) => from),
    ];
    for (const at of silences) {
      if (armedAt < at && overAt > at + CONTROL_LOSS_MS + this.#pausedMs('proxy', at, overAt))
        yield `lived ${overAt - at} ms beyond its control process`;
    }
  }

  #open(name: string, tabId: string): Tab {
    const tab: Tab = io(`${this.#system.url}/console`, {
      auth: { name, tabId },
      transports: ['websocket'],
      forceNew: true,
    });
    tab.on('lease', ({ n }, ack) => ack({ n }));
    return tab;
  }

  async #start(): Promise<void> {
    const byTab = this.#random() < 0.5;
    const ttlMs = byTab && this.#random() < 0.5 ? LONG_MS : this.#between(...SHORT_MS);
    const request = { ...this.#some(FAULTS), ttlMs };
    const fault = byTab
      ? await this.#ask<Fault>((tab) => tab.emitWithAck('fault:start', request))
      : await this.#call<Fault>('POST', '/faults', request);
    if (!fault) return;
    this.#ids.push(fault.id);
    this.#grant(fault.id, ttlMs);
  }

  /** By REST, or by a tab when the owner changes. */
  async #change(change: { ratio?: number; ttlMs?: number; takeOver?: boolean }): Promise<void> {
    const id = this.#some(this.#ids);
    if (!id) return;
    try {
      if (change.takeOver) await this.#ask((tab) => tab.emitWithAck('fault:change', { id, takeOver: true }));
      else await this.#call('PATCH', `/faults/${id}`, change);
    } finally {
      // Also when nobody answered: it may have been done.
      if (change.ttlMs) this.#grant(id, change.ttlMs);
    }
  }

  #grant(id: string, ttlMs: number): void {
    this.#dueAt.set(id, Math.max(this.#dueAt.get(id) ?? 0, Date.now() + ttlMs));
  }

  async #halt(): Promise<void> {
    await this.#call('POST', '/halt', { reason: 'random' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await this.#call('POST', '/resume', { reason: 'random' });
  }

  async #kill(): Promise<void> {
    const { name, pid } = await this.#victim();
    process.kill(pid, 'SIGKILL');
    this.#kills.push({ name, at: Date.now() });
  }

  async #pause(): Promise<void> {
    const forMs = this.#between(500, 6000);
    const { name, pid } = await this.#victim();
    process.kill(pid, 'SIGSTOP');
    const from = Date.now();
    await new Promise((resolve) => setTimeout(resolve, forMs));
    this.#pauses.push({ name, from, to: Date.now() });
    process.kill(pid, 'SIGCONT');
  }

  async #victim(): Promise<{ name: Name; pid: number }> {
    const name = this.#some<Name>(['control', 'proxy', 'inference']);
    return { name, pid: await this.#system.pid(name) };
  }

  #pausedMs(name: Name, fromAt: number, toAt: number): number {
    const overlaps = this.#pauses
      .filter((pause) => pause.name === name)
      .map(({ from, to }) => Math.max(0, Math.min(to, toAt) - Math.max(from, fromAt)));
    return overlaps.reduce((sum, each) => sum + each, 0);
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T | undefined> {
    const answer = await this.#system.api<T>(method, path, body);
    return answer.status < 300 ? answer.body : undefined;
  }

  async #ask<T>(ask: (tab: ReturnType<Tab['timeout']>) => Promise<Ack<T>>): Promise<T | undefined> {
    const tab = this.#some(this.#tabs.filter((each) => each.connected));
    if (!tab) return undefined;
    const answer = await ask(tab.timeout(5000));
    return answer.ok ? answer.data : undefined;
  }

  #some<T>(from: readonly [T, ...T[]]): T;
  #some<T>(from: readonly T[]): T | undefined;
  #some<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.#random() * from.length)];
  }

  #between(least: number, most: number): number {
    return Math.round(least + this.#random() * (most - least));
  }
}
