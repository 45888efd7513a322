import type { Page } from 'playwright-core';
import type { ProcessStatus } from '#lib/protocol/state.ts';
import { faultSwitch } from '#tests/support/console-page.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { pause } from './camera.ts';
import type { StateName } from './shots.ts';

/** What a fault does has begun to show in every chart. */
const SPREAD_MS = 15_000;
/** As long as the pictures take. */
const TTL_MS = 600_000;
/** Dead letters worth a look. */
const LETTERS = 12;

const THREE = [
  ['nemotron', 'timeout'],
  ['redis', 'connection_error'],
  ['gpu', 'thermal_throttle'],
] as const;

/** Brings the system from one state into the next, as an operator would. */
export class Situations {
  readonly #system: System;
  readonly #ana: Page;
  readonly #fillMs: number;
  #hanging: number | undefined;
  #killing: ReturnType<typeof setInterval> | undefined;

  /** @param fillMs until the charts have something in them */
  constructor(system: System, ana: Page, fillMs: number) {
    this.#fillMs = fillMs;
    this.#system = system;
    this.#ana = ana;
  }

  async begin(): Promise<void> {
    await this.#anaOn('Dead letters');
    await pause(this.#fillMs);
    await this.#system.untilSteady();
  }

  async enter(state: StateName): Promise<void> {
    switch (state) {
      case 'normal':
        return;
      case 'one-fault':
        await this.#start('nemotron', 'timeout');
        await this.#untilOpen('nemotron');
        await this.#anaOn('Dead letters');
        await pause(SPREAD_MS);
        return;
      case 'faults':
      case 'stale':
        await this.#threeFaults();
        return;
      case 'halted':
        await this.#threeFaults();
        await this.#ana.getByTestId('halt-button').click();
        await until('it is halted', 10_000, async () => (await this.#system.state()).halted !== null);
        return;
      case 'down':
        await this.#resume();
        await this.#keepDown('inference');
        await pause(SPREAD_MS);
        return;
      case 'silent':
        await this.#resume();
        await this.#hang('pipeline');
        await pause(SPREAD_MS);
    }
  }

  end(): void {
    clearInterval(this.#killing);
    if (this.#hanging !== undefined) process.kill(this.#hanging, 'SIGCONT');
    this.#hanging = undefined;
  }

  async #threeFaults(): Promise<void> {
    const active = (await this.#system.state()).faults;
    if (active.length === THREE.length) return;
    await this.#deadLetters();
    for (const [service, type] of THREE) {
      await this.#start(service, type);
      if (service !== 'gpu') await this.#untilOpen(service); // without Redis fewer calls get as far as Nemotron
    }
    await this.#anaOn('Dead letters');
    await pause(SPREAD_MS);
  }

  /** Frames that are refused for good: their work is given up. */
  async #deadLetters(): Promise<void> {
    const count = async () => (await this.#system.state()).pipeline?.dlq.count ?? 0;
    if ((await count()) >= LETTERS) return;
    const fault = await this.#system.startFault('yolo26', 'server_error', { params: { status: 422 } });
    await until('there are dead letters', 60_000, async () => (await count()) >= LETTERS);
    await this.#system.stopFault(fault.id);
  }

  async #start(service: string, type: string): Promise<void> {
    const on = async () =>
      (await this.#system.state()).faults.some((fault) => fault.service === service && fault.type === type);
    if (await on()) return;
    await this.#anaOn('Console');
    await (await faultSwitch(this.#ana, service, type)).click();
    await until(`${service} ${type} is on`, 10_000, on);
    await this.#ana.getByTestId(`desk-group-${service}`).click();
    const fault = (await this.#system.state()).faults.find((each) => each.service === service);
    await this.#system.api('PATCH', `/faults/${fault?.id}`, { ttlMs: TTL_MS });
  }

  /** Ana stays connected wherever she is; where she only waits it is on a page that costs little. */
  async #anaOn(page: 'Console' | 'Dead letters'): Promise<void> {
    await this.#ana.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: page }).click();
    await this.#ana.getByTestId(page === 'Console' ? 'ribbon' : 'dlq-groups').waitFor();
  }

  async #untilOpen(breaker: string): Promise<void> {
    await until(`the breaker of ${breaker} is open`, 60_000, async () =>
      (await this.#system.state()).pipeline?.breakers.some(
        ({ name, state }) => name === breaker && state === 'OPEN',
      ),
    );
  }

  async #resume(): Promise<void> {
    this.end();
    if ((await this.#system.state()).halted) await this.#system.api('POST', '/resume', { reason: 'seen' });
    for (const { id } of (await this.#system.state()).faults) await this.#system.stopFault(id);
    await until(
      'all is well again',
      120_000,
      async () => (await this.#system.state()).mode === 'NORMAL' || undefined,
    );
    await pause(11_000); // RECOVERED has been told
  }

  /** Its sockets stay open and nothing answers. No fault of ours. */
  async #hang(name: ProcessStatus['name']): Promise<void> {
    this.#hanging = await this.#system.pid(name);
    process.kill(this.#hanging, 'SIGSTOP');
    await until(
      'the mode is unknown',
      30_000,
      async () => (await this.#system.state()).mode === null || undefined,
    );
  }

  /** Kills it whenever it has come back: the supervisor waits longer and longer. No fault of ours. */
  async #keepDown(name: ProcessStatus['name']): Promise<void> {
    const kill = async () => {
      const status = this.#system.process(await this.#system.state(), name);
      if (status?.pid) process.kill(status.pid, 'SIGKILL');
    };
    this.#killing = setInterval(() => void kill().catch(() => {}), 150); // gone already, or control is busy
    await until(`${name} is down`, 90_000, async () => {
      const status = this.#system.process(await this.#system.state(), name);
      return (status?.restarts ?? 0) > 4 || undefined;
    });
  }
}
