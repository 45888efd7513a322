import { afterEach, describe, expect, it } from 'vitest';
import type { Fault } from '#lib/protocol/faults.ts';
import { type TestConsole, TestControl, until } from './control.fixture.ts';

let system: TestControl;
afterEach(() => system.close());

const WAITS = { askEveryMs: 100, warnAfterMs: 700, lostAfterMs: 1300, leaseAnswerMs: 600 };

async function startBy(page: TestConsole, service: string): Promise<Fault> {
  const answer = await page.socket.emitWithAck('fault:start', { service, type: 'timeout' });
  if (!answer.ok) throw new Error(answer.error.detail);
  return answer.data;
}

function endReason(page: TestConsole, faultId: string): string | undefined {
  for (const fact of page.facts) {
    if (fact.type === 'faultEnded' && fact.data.faultId === faultId) return fact.data.reason;
  }
  return undefined;
}

describe('Leases', () => {
  it('ends the faults of a browser that no longer answers, and warns everybody before', async () => {
    system = await TestControl.start({ waits: WAITS });
    const { injector } = await system.agent('proxy');
    const silent = system.console({ tabId: 'silent', name: 'Ana' });
    const watching = system.console({ tabId: 'watching', name: 'Bo' });
    const lost = await startBy(silent, 'redis');
    const kept = await startBy(watching, 'database');
    const { body: byRest } = await system.call('POST', '/api/v1/faults', { service: 'ftp', type: 'timeout' });
    silent.answers = false;
    await until(() => endReason(watching, lost.id) !== undefined);
    expect(endReason(watching, lost.id)).toBe('owner_lost');
    const types = watching.facts.filter(({ subject }) => subject === 'redis').map(({ type }) => type);
    expect(types).toEqual(['faultStarted', 'leaseWarning', 'faultEnded']);
    const warning = watching.facts.find((fact) => fact.type === 'leaseWarning');
    expect(warning?.data).toMatchObject({ faultId: lost.id, owner: 'Ana' });
    expect(injector.all().map((fault) => fault.id)).toEqual([kept.id, byRest.id]);
  });

  it('keeps the faults of a tab that reloads, and ends those of one that was closed', async () => {
    system = await TestControl.start({ waits: WAITS });
    await system.agent('proxy');
    const watching = system.console({ tabId: 'watching', name: 'Bo' });
    const before = system.console({ tabId: 'tab', name: 'Ana' });
    const fault = await startBy(before, 'redis');
    before.socket.close();
    await until(() => watching.facts.some((fact) => fact.type === 'leaseWarning'));
    const after = system.console({ tabId: 'tab', name: 'Ana' });
    await until(() => after.snapshots.length === 1);
    const heardAt = performance.now();
    await until(() => performance.now() - heardAt > WAITS.lostAfterMs + 100);
    expect(system.control.state().faults.map(({ id }) => id)).toEqual([fault.id]);
    after.socket.close();
    await until(() => endReason(watching, fault.id) !== undefined);
    expect(endReason(watching, fault.id)).toBe('owner_lost');
    await until(() => !system.control.state().operators.some(({ tabId }) => tabId === 'tab'));
    const here = watching.facts.flatMap((fact) =>
      fact.type === 'operatorChanged' && fact.data.tabId === 'tab' ? [fact.data.here] : [],
    );
    expect(here).toEqual([true, false]);
  });

  it('lets another browser take the lease over', async () => {
    system = await TestControl.start({ waits: WAITS });
    await system.agent('proxy');
    const first = system.console({ tabId: 'first', name: 'Ana' });
    const second = system.console({ tabId: 'second', name: 'Bo' });
    const fault = await startBy(first, 'redis');
    const taken = await second.socket.emitWithAck('fault:change', { id: fault.id, takeOver: true });
    expect(taken).toMatchObject({
      ok: true,
      data: { owner: { name: 'Bo', kind: 'browser', tabId: 'second' } },
    });
    first.socket.close();
    await until(() => !system.control.state().operators.some(({ tabId }) => tabId === 'first'));
    expect(system.control.state().faults).toHaveLength(1);
  });
});
