import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import type { FloorCalls, FloorMessage } from './fanout-floor.ts';
import { Latencies } from './fanout-latencies.ts';
import { cpuMsOf, rssOf } from './fanout-process.ts';
import type { ViewersCalls } from './fanout-viewers.ts';
import { type Child, startChild } from './measure-child.ts';

const VIEWERS_PROCESS = new URL('./fanout-viewers.ts', import.meta.url);
const FLOOR_PROCESS = new URL('./fanout-floor.ts', import.meta.url);
/** Viewers are shared out among these, so that no process of theirs is at its limit before the hub. */
const GROUPS = ['a', 'b'] as const;
const TOGGLE_PAUSE_MS = 300;

export interface FanoutWindow {
  /** Share of one core that the server used. */
  cpuRatio: number;
  /** Of one viewer. */
  bytesPerSecond: number;
  telemetry: Latencies;
  facts: Latencies;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The hub of a running system and the floor beside it, with as many viewers at either. */
export class FanoutStand {
  readonly system: System;
  readonly controlPid: number;
  readonly #settleMs: number;
  readonly groups: readonly Child<ViewersCalls>[];
  readonly #floor: Child<FloorCalls>;
  #floorPid = 0;
  #floorUrl = '';
  viewers = 0;

  private constructor(system: System, controlPid: number, settleMs: number) {
    this.system = system;
    this.#settleMs = settleMs;
    this.controlPid = controlPid;
    this.groups = GROUPS.map(() => startChild<ViewersCalls>(VIEWERS_PROCESS));
    this.#floor = startChild<FloorCalls>(FLOOR_PROCESS);
  }

  /** @param settleMs what a change of viewers still causes is over after this */
  static async open(system: System, settleMs: number): Promise<FanoutStand> {
    const stand = new FanoutStand(system, await system.pid('control'), settleMs);
    stand.#floorUrl = await stand.#floor.call('listen', undefined);
    stand.#floorPid = await stand.#floor.call('pid', undefined);
    return stand;
  }

  /** Until there are so many at either. Gives what each added one has cost the control process, and what it holds. */
  async connect(count: number): Promise<{ cpuMsEach: number; hubBytesEach: number; floorBytesEach: number }> {
    const added = count - this.viewers;
    const before = {
      cpuMs: cpuMsOf(this.controlPid),
      hub: rssOf(this.controlPid),
      floor: rssOf(this.#floorPid),
    };
    for (const [index, group] of this.groups.entries()) {
      const upTo = Math.ceil((count - index) / this.groups.length);
      await group.call('connect', { url: this.system.url, upTo, group: GROUPS[index] ?? '' });
      await group.call('connectFloor', { url: this.#floorUrl, upTo });
    }
    this.viewers = count;
    await pause(this.#settleMs);
    return {
      cpuMsEach: (cpuMsOf(this.controlPid) - before.cpuMs) / added,
      hubBytesEach: (rssOf(this.controlPid) - before.hub) / added,
      floorBytesEach: (rssOf(this.#floorPid) - before.floor) / added,
    };
  }

  /** The hub as it is, with a fault that comes and goes. Gives also what one viewer got, for the floor. */
  async hubWindow(forMs: number): Promise<FanoutWindow & { messages: FloorMessage[] }> {
    await this.#all('watch', true);
    await pause(this.#settleMs);
    await this.#all('begin', undefined);
    const toggling = this.toggleFaults();
    const cpuRatio = await this.#cpuOf(this.controlPid, () => pause(forMs));
    const window = await this.#window(forMs, cpuRatio);
    const recorded = (await this.groups[0]?.call('recorded', undefined)) ?? [];
    await toggling.stop();
    return { ...window, messages: recorded.filter(({ afterMs }) => afterMs <= forMs) };
  }

  /** The floor sends what a viewer of the hub got, in the same rhythm, while the hub sends no telemetry. */
  async floorWindow(messages: FloorMessage[], forMs: number): Promise<FanoutWindow> {
    await this.#all('watch', false);
    await pause(this.#settleMs);
    await this.#all('begin', undefined);
    const cpuRatio = await this.#cpuOf(this.#floorPid, () => this.#floor.call('replay', messages));
    return this.#window(forMs, cpuRatio);
  }

  /** Starts and stops a harmless fault until told to end. */
  toggleFaults(): { stop(): Promise<void> } {
    let going = true;
    const run = async () => {
      while (going) {
        const fault = await this.system.startFault('nemotron', 'latency', { params: { latencyMs: 5 } });
        await pause(TOGGLE_PAUSE_MS);
        await this.system.stopFault(fault.id);
        await pause(TOGGLE_PAUSE_MS);
      }
    };
    const done = run();
    done.catch(() => {}); // told to whoever stops it
    return {
      async stop() {
        going = false;
        await done;
      },
    };
  }

  /** Waits until the last viewer has the last fact; gives what they have missed or got twice. */
  async untilAllTold(): Promise<{ connected: number; missed: number; repeated: number }> {
    const { seq } = await this.system.state();
    return until('every viewer has every fact', 30_000, async () => {
      const standings = await this.standings();
      const lowest = Math.min(...standings.map(({ lowestSeq }) => lowestSeq));
      const sum = (key: 'connected' | 'missed' | 'repeated') =>
        standings.reduce((all, each) => all + each[key], 0);
      if (lowest < seq) throw new Error(`fact ${seq} is not with all: ${JSON.stringify(standings)}`);
      return { connected: sum('connected'), missed: sum('missed'), repeated: sum('repeated') };
    });
  }

  standings() {
    return Promise.all(this.groups.map((group) => group.call('standing', undefined)));
  }

  async close(): Promise<void> {
    for (const group of this.groups) await group.call('closeAll', undefined).catch(() => {});
    await Promise.all([...this.groups, this.#floor].map((child) => child.close()));
  }

  async #all<Name extends 'watch' | 'begin'>(name: Name, argument: Parameters<ViewersCalls[Name]>[0]) {
    await Promise.all(this.groups.map((group) => group.call(name, argument)));
  }

  async #cpuOf(pid: number, work: () => Promise<unknown>): Promise<number> {
    const before = { cpuMs: cpuMsOf(pid), atMs: performance.now() };
    await work();
    return (cpuMsOf(pid) - before.cpuMs) / (performance.now() - before.atMs);
  }

  async #window(forMs: number, cpuRatio: number): Promise<FanoutWindow> {
    const telemetry = new Latencies();
    const facts = new Latencies();
    let bytes = 0;
    for (const received of await Promise.all(this.groups.map((group) => group.call('received', undefined)))) {
      telemetry.addCounts(received.telemetry);
      facts.addCounts(received.facts);
      bytes += received.bytes;
    }
    return { cpuRatio, bytesPerSecond: bytes / this.viewers / (forMs / 1000), telemetry, facts };
  }
}
