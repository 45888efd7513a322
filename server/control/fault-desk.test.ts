import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Fact } from '#lib/protocol/facts.ts';
import { TestControl, until } from './control.fixture.ts';
import { FaultSeeds } from './fault-seeds.ts';

let system: TestControl;
afterEach(() => system.close());

const TIMEOUT = { service: 'redis', type: 'timeout' };

function ended(facts: readonly Fact[], faultId: string) {
  return facts.find((fact) => fact.type === 'faultEnded' && fact.data.faultId === faultId)?.data;
}

describe('FaultDesk', () => {
  it('answers 201 once the injector holds the fault, which the journal knew before', async () => {
    system = await TestControl.start();
    let journalAtArming = '';
    const dir = join(system.dataDir, 'journal');
    const { injector } = await system.agent('proxy', {
      effect: {
        arm: () => {
          journalAtArming = readdirSync(dir)
            .map((name) => readFileSync(join(dir, name), 'utf8'))
            .join('');
        },
      },
    });
    const { status, body, headers } = await system.call('POST', '/api/v1/faults', { ...TIMEOUT, seed: 7 });
    expect(status).toBe(201);
    expect(headers.get('location')).toBe(`/api/v1/faults/${body.id}`);
    expect(body).toMatchObject({
      ...TIMEOUT,
      version: 1,
      seed: 7,
      params: { delayMs: 30_000 },
      owner: { name: 'REST', kind: 'rest' },
      injector: 'proxy',
    });
    expect(body.leftMs).toBeGreaterThan(59_000);
    expect(injector.all().map((fault) => fault.id)).toEqual([body.id]);
    expect(journalAtArming).toContain(`"kind":"arming","intent":{"id":"${body.id}"`);
    expect((await system.facts()).map((fact) => fact.type)).toContain('faultStarted');
    expect((await system.call('GET', '/api/v1/faults')).body.faults).toHaveLength(1);
  });

  it('tells every agent what is in force, and for a while what has ended', async () => {
    system = await TestControl.start();
    await system.agent('proxy');
    const { agent } = await system.agent('pipeline');
    const { body } = await system.call('POST', '/api/v1/faults', TIMEOUT);
    await until(() =>
      agent.activeFaults.some((fault) => fault.id === body.id && fault.endedAt === undefined),
    );
    await system.call('DELETE', `/api/v1/faults/${body.id}`);
    await until(() =>
      agent.activeFaults.some((fault) => fault.id === body.id && fault.endedAt !== undefined),
    );
  });

  it('ends with a receipt, after which a call is clean', async () => {
    system = await TestControl.start();
    const { injector } = await system.agent('proxy');
    const { body: fault } = await system.call('POST', '/api/v1/faults', TIMEOUT);
    expect(injector.decide('redis', { kind: 'GET' })?.fault.id).toBe(fault.id);
    const { status, body } = await system.call('DELETE', `/api/v1/faults/${fault.id}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      faultId: fault.id,
      title: fault.title,
      reason: 'stopped',
      acknowledged: true,
      hits: 1,
    });
    expect(body.acknowledgedInMs).toBeLessThan(1000);
    expect(injector.decide('redis', { kind: 'GET' })).toBeUndefined();
    expect(await system.call('DELETE', `/api/v1/faults/${fault.id}`)).toMatchObject({
      status: 404,
      body: { code: 'FAULT_NOT_FOUND' },
    });
  });

  it('refuses a second fault of the same service and type, naming the owner', async () => {
    system = await TestControl.start();
    await system.agent('proxy');
    const both = await Promise.all(
      ['Ana', 'Bo'].map((name) =>
        system.call('POST', '/api/v1/faults', TIMEOUT, { 'x-brownout-operator': name }),
      ),
    );
    expect(both.map((answer) => answer.status).sort()).toEqual([201, 409]);
    const winner = both.find((answer) => answer.status === 201)?.body.owner.name;
    expect(both.find((answer) => answer.status === 409)?.body).toMatchObject({
      code: 'FAULT_EXISTS',
      owner: winner,
    });
  });

  it('breaks no more services at once than the setting allows', async () => {
    const settings = { HOST: '127.0.0.1', PORT: 0, BACKEND_PORT: 8000, DATA_DIR: '' };
    system = await TestControl.start({
      settings: { ...settings, BROWNOUT_TOKEN: undefined, FAULT_SERVICES_MAX: 2, FAULT_SEED: undefined },
    });
    await system.agent('proxy');
    const start = async (service: string, type: string, params = {}) =>
      (await system.call('POST', '/api/v1/faults', { service, type, params })).body;
    expect(await start('network', 'latency')).toMatchObject({ code: 'TOO_MANY_SERVICES', allowed: '2' });
    const first = await start('redis', 'timeout');
    await start('network', 'latency', { services: ['redis', 'database'] });
    await start('database', 'timeout'); // already among the two
    expect(await start('ftp', 'timeout')).toMatchObject({ code: 'TOO_MANY_SERVICES', status: 409 });
    expect(system.control.state().faults).toHaveLength(3);
    await system.call('DELETE', `/api/v1/faults/${first.id}`);
    expect(await start('redis', 'timeout')).toMatchObject({ service: 'redis' });
  });

  it('changes strength and lease live, and refuses a stale version', async () => {
    system = await TestControl.start();
    const { injector } = await system.agent('proxy');
    const { body: fault } = await system.call('POST', '/api/v1/faults', {
      service: 'redis',
      type: 'latency',
    });
    const path = `/api/v1/faults/${fault.id}`;
    const changed = await system.call(
      'PATCH',
      path,
      { params: { latencyMs: 900 }, ratio: 0.5, ttlMs: 120_000 },
      { 'if-match': '"1"' },
    );
    expect(changed).toMatchObject({ status: 200, body: { version: 2, ratio: 0.5, ttlMs: 120_000 } });
    expect(injector.all()[0]).toMatchObject({ version: 2, ratio: 0.5, params: { latencyMs: 900 } });
    expect(injector.all()[0]?.ttlMs).toBeGreaterThan(119_000);
    expect(await system.call('PATCH', path, { ratio: 1 }, { 'if-match': '"1"' })).toMatchObject({
      status: 412,
      body: { code: 'STALE_VERSION' },
    });
    const modifiers = { match: { command: 'SET' }, pulse: { activeMs: 500, dormantMs: 700 }, failFirst: 5 };
    const modified = await system.call('PATCH', path, { ...modifiers, rampMs: 2000 });
    expect(modified.body).toMatchObject({ version: 3, ratio: 0.5, ...modifiers, rampMs: 2000 });
    expect(injector.all()[0]).toMatchObject({ version: 3, ...modifiers, rampMs: 2000 });
    const fewer = await system.call('PATCH', path, { pulse: null, failFirst: null, rampMs: null });
    expect(fewer.body).toMatchObject({ version: 4, match: { command: 'SET' } });
    for (const name of ['pulse', 'failFirst', 'rampMs']) {
      expect(fewer.body).not.toHaveProperty(name);
      expect(injector.all()[0]).not.toHaveProperty(name);
    }
    expect(await system.call('PATCH', path, { ratio: 0.9, match: { sql: 'x' } })).toMatchObject({
      status: 422,
      body: { code: 'INVALID_INPUT', field: 'match.sql', value: 'x' },
    });
    expect(await system.call('PATCH', path, { params: { latencyMs: -1 } })).toMatchObject({
      status: 422,
      body: { code: 'INVALID_INPUT', field: 'params.latencyMs' },
    });
    expect(injector.all()[0]?.ratio).toBe(0.5);
    const taken = await system.call('PATCH', path, { takeOver: true }, { 'x-brownout-operator': 'Bo' });
    expect(taken.body.owner.name).toBe('Bo');
    const changes = (await system.facts()).filter((fact) => fact.type === 'faultChanged');
    expect(changes.map((fact) => fact.data.change)).toEqual([
      'strength',
      'extended',
      'strength',
      'strength',
      'takenOver',
    ]);
  });

  it('gives faults without a seed theirs from the seed of the run, which the state shows', async () => {
    const settings = {
      HOST: '127.0.0.1',
      PORT: 0,
      BACKEND_PORT: 8000,
      DATA_DIR: '',
      BROWNOUT_TOKEN: undefined,
      FAULT_SERVICES_MAX: 10,
      FAULT_SEED: 42,
    };
    system = await TestControl.start({ settings });
    await system.agent('proxy');
    expect((await system.call('GET', '/api/v1/state')).body.seed).toBe(42);
    const seeds = new FaultSeeds(42);
    const start = async (more: object = {}) => {
      const { body } = await system.call('POST', '/api/v1/faults', { ...TIMEOUT, ...more });
      await system.call('DELETE', `/api/v1/faults/${body.id}`);
      return body.seed;
    };
    for (let n = 0; n < 2; n++) {
      expect(await start()).toBe(seeds.next('redis', 'timeout'));
      seeds.started('redis', 'timeout');
    }
    expect(await start({ seed: 7 })).toBe(7);
  });

  it('refuses when the injector is not there', async () => {
    system = await TestControl.start();
    expect(await system.call('POST', '/api/v1/faults', TIMEOUT)).toMatchObject({
      status: 503,
      body: { code: 'INJECTOR_UNAVAILABLE', injectors: ['proxy'] },
    });
    expect((await system.facts()).some((fact) => fact.type === 'faultStarted')).toBe(false);
  });

  it('rolls back within the acknowledgement time-out when the injector hangs', async () => {
    system = await TestControl.start({ waits: { ackTimeoutMs: 200 } });
    let release = () => {};
    const { injector } = await system.agent('proxy', {
      effect: {
        arm: () =>
          new Promise<void>((resolve) => {
            release = resolve;
          }),
      },
    });
    const startedAt = performance.now();
    const answer = await system.call('POST', '/api/v1/faults', TIMEOUT);
    expect(answer).toMatchObject({ status: 503, body: { code: 'INJECTOR_UNAVAILABLE' } });
    expect(performance.now() - startedAt).toBeLessThan(3000);
    release();
    await until(() => injector.all().length === 0);
    expect(system.control.state().faults).toEqual([]);
    expect((await system.facts()).some((fact) => fact.type === 'faultStarted')).toBe(false);
  });

  it('arms all faults of a preset or none', async () => {
    system = await TestControl.start();
    let refused = true;
    const { injector } = await system.agent('proxy', {
      effect: {
        arm: ({ service }) => {
          if (refused && service === 'nemotron') throw new Error('port is taken');
        },
      },
    });
    const failed = await system.call('POST', '/api/v1/presets/all_ai_services_down');
    expect(failed).toMatchObject({ status: 503, body: { code: 'INJECTOR_UNAVAILABLE' } });
    expect(injector.all()).toEqual([]);
    expect(system.control.state().faults).toEqual([]);
    refused = false;
    const { status, body } = await system.call('POST', '/api/v1/presets/all_ai_services_down', {});
    expect(status).toBe(201);
    expect(
      body.faults.map((fault: { service: string; preset: string }) => [fault.service, fault.preset]),
    ).toEqual([
      ['yolo26', 'all_ai_services_down'],
      ['nemotron', 'all_ai_services_down'],
    ]);
    expect(injector.all()).toHaveLength(2);
  });

  it('learns from the injector that a lease has run out', async () => {
    system = await TestControl.start();
    const { injector } = await system.agent('proxy');
    const { body } = await system.call('POST', '/api/v1/faults', { ...TIMEOUT, ttlMs: 1000 });
    await until(() => system.control.state().faults.length === 0);
    expect(injector.all()).toEqual([]);
    expect(ended(await system.facts(), body.id)).toMatchObject({ reason: 'expired' });
  });

  it('says that a fault is lost when the process in which it acted is gone', async () => {
    system = await TestControl.start({ waits: { injectorLostMs: 200 } });
    const { agent } = await system.agent('inference');
    const { body } = await system.call('POST', '/api/v1/faults', {
      service: 'gpu',
      type: 'thermal_throttle',
    });
    await agent.close();
    await until(() => system.control.state().faults.length === 0);
    expect(ended(await system.facts(), body.id)).toMatchObject({ reason: 'injector_lost', receipt: null });
  });

  it('keeps a fault whose end is not acknowledged in view until it is', async () => {
    system = await TestControl.start({ waits: { ackTimeoutMs: 800 } });
    let release = () => {};
    await system.agent('proxy', {
      effect: {
        end: () =>
          new Promise<void>((resolve) => {
            release = resolve;
          }),
      },
    });
    const { body: fault } = await system.call('POST', '/api/v1/faults', TIMEOUT);
    const { body } = await system.call('DELETE', `/api/v1/faults/${fault.id}`);
    expect(body.acknowledged).toBe(false);
    expect(system.control.state().faults[0]?.warning).toContain('did not acknowledge');
    expect((await system.facts()).find((fact) => fact.type === 'alert')?.data).toMatchObject({
      code: 'END_UNACKNOWLEDGED',
      count: 1,
    });
    release();
    await until(() => system.control.state().faults.length === 0);
  });

  it('ends faults that it does not know on agents that connect', async () => {
    system = await TestControl.start();
    const { injector } = await system.agent('pipeline');
    const { agent, injector: other } = await system.agent('proxy');
    await agent.close();
    await other.arm({
      id: 'ghost',
      version: 1,
      ...TIMEOUT,
      service: 'redis',
      params: {},
      ratio: 1,
      seed: 1,
      ttlMs: 60_000,
    });
    await system.agent('proxy', { injector: other });
    await until(() => other.all().length === 0);
    expect(injector.all()).toEqual([]);
  });

  it('replays the answer to a repeated Idempotency-Key', async () => {
    system = await TestControl.start();
    await system.agent('proxy');
    const key = { 'idempotency-key': 'one' };
    const [first, second] = await Promise.all([
      system.call('POST', '/api/v1/faults', TIMEOUT, key),
      system.call('POST', '/api/v1/faults', TIMEOUT, key),
    ]);
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body.id).toBe(first.body.id);
    const other = await system.call('POST', '/api/v1/faults', { ...TIMEOUT, ratio: 0.5 }, key);
    expect(other).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_MISMATCH' } });
  });
});

describe('halt', () => {
  const SIX = ['redis', 'database', 'yolo26', 'nemotron', 'pubsub'].map((service) => ({
    service,
    type: 'timeout',
  }));

  it('ends everything, latches, and opens again with a reason', async () => {
    system = await TestControl.start();
    const proxy = await system.agent('proxy');
    const inference = await system.agent('inference');
    for (const fault of [...SIX, { service: 'gpu', type: 'thermal_throttle' }]) {
      expect((await system.call('POST', '/api/v1/faults', fault)).status).toBe(201);
    }
    const { status, body } = await system.call('POST', '/api/v1/halt', { reason: 'enough' });
    expect(status).toBe(200);
    expect(body.faults).toHaveLength(6);
    for (const receipt of body.faults) {
      expect(receipt).toMatchObject({ acknowledged: true, reason: 'halted' });
      expect(receipt.acknowledgedInMs).toBeLessThan(1000);
    }
    expect(body.unacknowledged).toEqual([]);
    expect([...proxy.injector.all(), ...inference.injector.all()]).toEqual([]);
    expect(await system.call('POST', '/api/v1/faults', TIMEOUT)).toMatchObject({
      status: 409,
      body: { code: 'HALTED' },
    });
    expect(await system.call('POST', '/api/v1/resume', {})).toMatchObject({
      status: 422,
      body: { field: 'reason' },
    });
    expect((await system.call('POST', '/api/v1/resume', { reason: 'next run' })).status).toBe(200);
    expect(await system.call('POST', '/api/v1/resume', { reason: 'again' })).toMatchObject({
      status: 409,
      body: { code: 'NOT_HALTED' },
    });
    expect((await system.call('POST', '/api/v1/faults', TIMEOUT)).status).toBe(201);
  });

  it('names the injector that did not acknowledge, and is not held up by it', async () => {
    system = await TestControl.start({ waits: { injectorLostMs: 60_000 } });
    const proxy = await system.agent('proxy');
    const inference = await system.agent('inference');
    await system.call('POST', '/api/v1/faults', TIMEOUT);
    await system.call('POST', '/api/v1/faults', { service: 'gpu', type: 'thermal_throttle' });
    await inference.agent.close();
    await until(() =>
      system.control.state().agents.some((each) => each.name === 'inference' && !each.connected),
    );
    const { body } = await system.call('POST', '/api/v1/halt');
    expect(body.unacknowledged).toEqual(['inference']);
    expect(body.tookMs).toBeLessThan(3000);
    expect(proxy.injector.all()).toEqual([]);
  });

  it('catches a fault that is just being armed', async () => {
    system = await TestControl.start();
    let arming = false;
    let release = () => {};
    const { injector } = await system.agent('proxy', {
      effect: {
        arm: () =>
          new Promise<void>((resolve) => {
            arming = true;
            release = resolve;
          }),
      },
    });
    const starting = system.call('POST', '/api/v1/faults', TIMEOUT);
    await until(() => arming);
    const halting = system.call('POST', '/api/v1/halt');
    await until(() => system.control.state().halted !== null);
    release();
    expect(await starting).toMatchObject({ status: 409, body: { code: 'HALTED' } });
    expect((await halting).body.unacknowledged).toEqual([]);
    expect(injector.all()).toEqual([]);
    expect(system.control.state().faults).toEqual([]);
  });

  it('holds over a restart', async () => {
    system = await TestControl.start();
    await system.call('POST', '/api/v1/halt', { reason: 'night' }, { 'x-brownout-operator': 'Bo' });
    await system.control.close();
    await system.startAgain();
    await system.agent('proxy');
    expect(system.control.state().halted).toMatchObject({ by: 'Bo', reason: 'night' });
    expect((await system.call('POST', '/api/v1/faults', TIMEOUT)).body.code).toBe('HALTED');
  });

  it('works as a plain form without scripts', async () => {
    system = await TestControl.start();
    const { injector } = await system.agent('proxy');
    await system.call('POST', '/api/v1/faults', TIMEOUT);
    const form = await system.call('GET', '/halt');
    expect(form.body).toContain('<form method="post" action="/halt">');
    expect(form.body).toContain('Timeout on redis');
    expect(form.body).not.toContain('<script');
    const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: system.control.url };
    const { status, body } = await system.call('POST', '/halt', 'name=Bo&reason=now', headers);
    expect(status).toBe(200);
    expect(body).toContain('HALTED</strong> by Bo');
    expect(body).toMatch(/<td>Timeout on redis<\/td><td>ended in [\d.]+ ms, proxy<\/td>/);
    expect(injector.all()).toEqual([]);
    const evil = await system.call('POST', '/halt', 'name=x', { ...headers, origin: 'http://evil.example' });
    expect(evil.status).toBe(403);
  });
});
