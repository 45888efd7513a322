import { afterEach, describe, expect, it } from 'vitest';
import { forgetState, hearState } from '#components/live/heard-state.ts';
import type { LiveTick, StateUpdate } from '#lib/protocol/events.ts';
import type { MetricDeclaration } from '#lib/protocol/metrics.ts';
import type { State } from '#lib/protocol/state.ts';
import { eventOf, TestControl, until } from './control.fixture.ts';

let system: TestControl;
afterEach(async () => {
  forgetState();
  await system.close();
});

const TEMPERATURE = { name: 'gpu.temperatureC', unit: '°C', help: 'Heat' };

describe('LiveGateway', () => {
  it('sends layout, ticks and state, and a gap once the process is silent', async () => {
    system = await TestControl.start();
    const socket = system.socket('/live');
    let metrics: MetricDeclaration[] = [];
    let layout = -1;
    const ticks: LiveTick[] = [];
    const states: State[] = [];
    socket.on('layout', (sent: { layout: number; metrics: MetricDeclaration[] }) => {
      ({ layout, metrics } = sent);
    });
    socket.on('tick', (tick: LiveTick) => {
      ticks.push(tick);
      const state = hearState(tick.state);
      if (state) states.push(state);
    });
    await eventOf(socket, 'connect');
    const { agent } = await system.agent('inference', { metrics: [{ ...TEMPERATURE, read: () => 61.2345 }] });
    const value = () => {
      const tick = ticks.at(-1);
      const index = metrics.findIndex((metric) => metric.name === TEMPERATURE.name);
      return tick?.layout === layout ? tick.values[index] : undefined;
    };
    await until(() => value() === 61.235);
    expect(metrics).toContainEqual(TEMPERATURE);
    await until(() =>
      states.some(({ agents }) => agents.some(({ name, connected }) => name === 'inference' && connected)),
    );
    await agent.close();
    await until(() => value() === null);
    expect(states.at(-1)?.runId).toBe(system.control.runId);
  });

  it('tells what has changed, and the whole to who comes anew or has missed something', async () => {
    system = await TestControl.start();
    const socket = system.socket('/live');
    const updates: StateUpdate[] = [];
    socket.on('tick', ({ state }: LiveTick) => updates.push(state));
    await until(() => updates.length >= 4);
    expect(updates[0]).toMatchObject({ whole: { runId: system.control.runId } });
    const numbers = updates.map(({ n }) => n);
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
    for (const update of updates.slice(1)) {
      expect(JSON.stringify(update).length).toBeLessThan(JSON.stringify(updates[0]).length / 2);
    }

    const isWhole = (update: StateUpdate) => 'whole' in update;
    socket.emit('whole');
    socket.emit('whole'); // at once again: one is enough
    await until(() => updates.slice(1).some(isWhole));
    const asked = updates.findLast(isWhole);
    const before = updates.length;
    await until(() => updates.length > before + 1);
    expect(updates.slice(1).filter(isWhole)).toHaveLength(1);
    expect(updates.filter(({ n }) => n === (asked?.n ?? 0) + 1)).toHaveLength(1);

    let second: StateUpdate | undefined;
    system.socket('/live').once('tick', ({ state }: LiveTick) => {
      second = state;
    });
    await until(() => second !== undefined);
    expect(second).toMatchObject({ whole: { runId: system.control.runId } });
    expect(updates.slice(before).filter(isWhole), 'the newcomer costs the others nothing').toEqual([]);
  });

  it('counts everybody who is here but names 50, so that a state does not grow with its viewers', async () => {
    system = await TestControl.start();
    for (let n = 0; n < 52; n++) system.console({ tabId: `tab-${n}`, name: `Viewer ${n}` });
    await until(() => system.control.state().operatorCount === 52);
    expect(system.control.state().operators).toHaveLength(50);
  });

  it('does not invent a mode for a pipeline that is gone', async () => {
    system = await TestControl.start();
    expect(system.control.state()).toMatchObject({ mode: null, pipeline: null });
  });
});
