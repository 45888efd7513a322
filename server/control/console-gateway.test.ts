import type { Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import { forgetState, hearState } from '#components/live/heard-state.ts';
import { createRandom } from '#lib/chaos/random.ts';
import type { LiveTick } from '#lib/protocol/events.ts';
import type { Fact } from '#lib/protocol/facts.ts';
import { eventOf, refusalOf, TestControl, until } from './control.fixture.ts';

let system: TestControl;
afterEach(async () => {
  forgetState();
  await system.close();
});

const told = (facts: readonly Fact[]) => facts.map(({ seq, type, subject }) => `${seq} ${type} ${subject}`);

describe('ConsoleGateway', () => {
  it('gives two browsers the same facts, though one is cut off at random', async () => {
    system = await TestControl.start();
    const { agent } = await system.agent('pipeline');
    const seed = Date.now() % 100_000;
    const random = createRandom(seed);
    const steady = system.console({ tabId: 'steady' });
    const received: Fact[] = [];
    let cut = system.console({ tabId: 'cut', name: 'Bo' });
    await until(() => steady.snapshots.length === 1 && cut.snapshots.length === 1);
    for (let count = 0; count < 220; count++) {
      agent.fact('alert', 'redis', { code: 'X', service: 'redis', count, text: 'x' });
      if (count % 10 === 0) await until(() => steady.facts.some(isAlert(count)));
      if (random() > 0.1) continue;
      cut.socket.close();
      received.push(...cut.facts);
      const lastSeq = received.at(-1)?.seq;
      cut = system.console({ tabId: 'cut', name: 'Bo', ...(lastSeq === undefined ? {} : { lastSeq }) });
      await until(() => cut.snapshots.length === 1);
      expect(cut.snapshots[0]?.gap, `seed ${seed}`).toBe(false);
    }
    await until(() => steady.facts.some(isAlert(219)) && cut.facts.some(isAlert(219)));
    received.push(...cut.facts);
    expect(steady.facts.length).toBeGreaterThan(200);
    expect(told(received), `seed ${seed}`).toEqual(told(steady.facts));
    expect(received.map((fact) => fact.seq)).toEqual(received.map((_, index) => index + 1));
  });

  it('shows both browsers the same faults, with hits as they come', async () => {
    system = await TestControl.start();
    const { injector } = await system.agent('proxy');
    const ana = system.console({ tabId: 'a' });
    const bo = system.console({ tabId: 'b', name: 'Bo' });
    const seen: number[] = [];
    bo.socket.on('faults', ({ faults }) => seen.push(faults[0]?.hits ?? -1));
    const ticked: number[] = [];
    system.socket('/live').on('tick', ({ state }: LiveTick) => {
      const hits = hearState(state)?.faults[0]?.hits;
      if (hits !== undefined) ticked.push(hits);
    });
    await until(() => bo.snapshots.length === 1);
    const started = await ana.socket.emitWithAck('fault:start', { service: 'redis', type: 'timeout' });
    expect(started).toMatchObject({
      ok: true,
      data: { owner: { name: 'Ana', kind: 'browser', tabId: 'a' } },
    });
    await until(() => seen.includes(0));
    injector.decide('redis', { kind: 'GET' });
    await until(() => ticked.includes(1));
    expect(ticked.toSorted(), 'never back').toEqual(ticked);
    if (!started.ok) return;
    const stopped = await bo.socket.emitWithAck('fault:stop', { id: started.data.id });
    expect(stopped).toMatchObject({ ok: true, data: { reason: 'stopped', hits: 1 } });
    await until(() => seen.includes(-1));
  });

  it('answers who gave a command before it tells everybody', async () => {
    system = await TestControl.start();
    await system.agent('proxy');
    const ana = system.console({ tabId: 'a' });
    await until(() => ana.snapshots.length === 1);
    const order: string[] = [];
    ana.socket.on('fact', ({ type }) => order.push(type));
    for (let turn = 0; turn < 5; turn++) {
      let id = '';
      ana.socket.emit('fault:start', { service: 'redis', type: 'timeout' }, (answer) => {
        order.push('answer');
        if (answer.ok) id = answer.data.id;
      });
      await until(() => order.includes('faultStarted', turn * 4));
      ana.socket.emit('fault:stop', { id }, () => order.push('answer'));
      await until(() => order.includes('faultEnded', turn * 4));
    }
    const once = ['answer', 'faultStarted', 'answer', 'faultEnded'];
    expect(order).toEqual([...once, ...once, ...once, ...once, ...once]);
  });

  it('halts, resumes, notes and passes breaker commands on', async () => {
    system = await TestControl.start();
    const commands: unknown[] = [];
    await system.agent('pipeline', {
      commands: {
        'breaker:command': async (request) => {
          commands.push(request);
          return { done: request.name === 'redis' };
        },
      },
    });
    const { socket, facts } = system.console();
    expect(await socket.emitWithAck('halt:start', {})).toMatchObject({ ok: true, data: { faults: [] } });
    expect(await socket.emitWithAck('preset:start', { name: 'redis_timeout' })).toMatchObject({
      ok: false,
      error: { code: 'HALTED' },
    });
    expect(await socket.emitWithAck('halt:resume', { reason: 'go on' })).toEqual({ ok: true, data: {} });
    expect(await socket.emitWithAck('note:add', { text: 'hello' })).toEqual({ ok: true, data: {} });
    await until(() => facts.some((fact) => fact.type === 'note' && fact.data.text === 'hello'));
    const open = { name: 'redis', command: 'open' } as const;
    expect(await socket.emitWithAck('breaker:command', open)).toEqual({ ok: true, data: {} });
    expect(commands).toEqual([open]);
    expect(await socket.emitWithAck('breaker:command', { ...open, name: 'no' })).toMatchObject({
      ok: false,
      error: { code: 'BREAKER_NOT_FOUND' },
    });
  });

  it('answers rubbish with an error and goes on', async () => {
    system = await TestControl.start();
    const socket = system.socket('/console', { auth: { name: 'Eve', tabId: 'x' } });
    await eventOf(socket, 'connect');
    const rubbish: [unknown, string, string?][] = [
      [{ service: 'redis', type: 'nope' }, 'INVALID_INPUT', 'type'],
      [
        { service: 'redis', type: 'latency', params: { latencyMs: 'x' } },
        'INVALID_INPUT',
        'params.latencyMs',
      ],
      [{ service: 'redis', type: 'latency', ratio: 2 }, 'INVALID_INPUT', 'ratio'],
      [{ service: 'control', type: 'latency' }, 'INVALID_INPUT', 'service'],
      [null, 'INVALID_INPUT'],
      ['text', 'INVALID_INPUT'],
      [[1, 2], 'INVALID_INPUT'],
      [Buffer.from('binary'), 'INVALID_INPUT'],
    ];
    for (const [payload, code, field] of rubbish) {
      const answer = await socket.emitWithAck('fault:start', payload);
      expect(answer, JSON.stringify(payload)).toMatchObject({ ok: false, error: { code } });
      if (field !== undefined) expect(answer.error.field).toBe(field);
    }
    expect(await socket.emitWithAck('fault:stop')).toMatchObject({
      ok: false,
      error: { code: 'INVALID_INPUT' },
    });
    expect(await socket.emitWithAck('no:such', 1)).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
    for (const event of ['fault:start', 'fault:change', 'lease', 'snapshot', 'note:add', 'other']) {
      socket.emit(event);
      socket.emit(event, { deep: { er: [null] } }, 7);
    }
    expect(await socket.emitWithAck('note:add', { text: 'still here' })).toMatchObject({ ok: true });
    expect(system.control.state().faults).toEqual([]);
  });

  it('refuses a handshake without a usable name', async () => {
    system = await TestControl.start();
    const socket = system.socket('/console', { auth: { name: '', tabId: 'x' } });
    const refusal = await refusalOf(socket);
    expect(refusal).toMatchObject({ code: 'INVALID_INPUT', field: 'auth.name' });
  });

  it('limits how fast one browser may command, but never its halt', async () => {
    system = await TestControl.start();
    const { socket } = system.console();
    const answers = await Promise.all(
      Array.from({ length: 90 }, () => socket.emitWithAck('fault:stop', { id: 'none' })),
    );
    const codes = answers.map((answer) => (answer.ok ? 'ok' : answer.error.code));
    expect(codes[0]).toBe('FAULT_NOT_FOUND');
    expect(codes).toContain('RATE_LIMITED');
    expect(await socket.emitWithAck('halt:start', {})).toMatchObject({ ok: true });
  });

  it('cuts a browser that does not take its facts, and the others do not notice', async () => {
    system = await TestControl.start({ waits: { maxBufferedBytes: 100_000 } });
    const good = system.console({ tabId: 'good' });
    const slow = system.console({ tabId: 'slow', name: 'Slow' });
    await until(() => good.snapshots.length === 1 && slow.snapshots.length === 1);
    const transport = slow.socket.io.engine.transport as unknown as { ws: { _socket: { pause(): void } } };
    transport.ws._socket.pause();
    const { agent } = await system.agent('pipeline');
    const text = 'x'.repeat(200_000);
    let count = 0;
    let waitingBytes = 0;
    await until(async () => {
      for (let n = 0; n < 10; n++) {
        agent.fact('alert', 'redis', { code: 'X', service: null, count: count++, text });
      }
      await until(() => good.facts.some(isAlert(count - 1)));
      const { body } = await system.call('GET', '/metrics');
      const unsent = /^brownout_viewer_unsent_bytes (\d+)$/m.exec(body)?.[1];
      waitingBytes = Math.max(waitingBytes, Number(unsent));
      return body.includes('brownout_viewers{namespace="console"} 1');
    }, 15_000);
    expect(waitingBytes, 'told while it waited').toBeGreaterThan(200_000);
    expect(good.socket.connected).toBe(true);
  });

  it('warns its viewers before it stops, and stops in time', async () => {
    system = await TestControl.start();
    const { socket, snapshots } = system.console();
    await until(() => snapshots.length === 1);
    const notice = eventOf(socket as unknown as Socket, 'notice');
    const startedAt = performance.now();
    await system.control.close();
    expect((await notice)[0]).toMatchObject({ code: 'SHUTDOWN' });
    expect(performance.now() - startedAt).toBeLessThan(3000);
    await system.startAgain();
  });
});

function isAlert(count: number) {
  return (fact: Fact) => fact.type === 'alert' && fact.data.count === count;
}
