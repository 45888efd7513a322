import { afterEach, describe, expect, it } from 'vitest';
import type { LiveTick } from '#lib/protocol/events.ts';
import type { MetricDeclaration } from '#lib/protocol/metrics.ts';
import type { State } from '#lib/protocol/state.ts';
import { eventOf, TestControl, until } from './control.fixture.ts';

let system: TestControl;
afterEach(() => system.close());

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
      states.push(tick.state);
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
