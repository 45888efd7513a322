import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Clock, ManualClock } from '#lib/chaos/clock.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import { type TestConsole, TestControl, until } from './control.fixture.ts';
import { Leases } from './leases.ts';

let system: TestControl | undefined;
afterEach(() => system?.close());

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

/** A page needs real time to come back. */
const REAL_WAITS = { ...WAITS, lostAfterMs: 2500 };

async function startSystem(): Promise<TestControl> {
  system = await TestControl.start({ waits: REAL_WAITS });
  return system;
}

describe('Leases', () => {
  it('ends the faults of a browser that no longer answers, and warns everybody before', async () => {
    const control = await startSystem();
    const { injector } = await control.agent('proxy');
    const silent = control.console({ tabId: 'silent', name: 'Ana' });
    const watching = control.console({ tabId: 'watching', name: 'Bo' });
    const lost = await startBy(silent, 'redis');
    const kept = await startBy(watching, 'database');
    const { body: byRest } = await control.call('POST', '/api/v1/faults', {
      service: 'ftp',
      type: 'timeout',
    });
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
    const control = await startSystem();
    await control.agent('proxy');
    const watching = control.console({ tabId: 'watching', name: 'Bo' });
    const before = control.console({ tabId: 'tab', name: 'Ana' });
    const fault = await startBy(before, 'redis');
    before.socket.close();
    await until(() => watching.facts.some((fact) => fact.type === 'leaseWarning'));
    const after = control.console({ tabId: 'tab', name: 'Ana' });
    await until(() => after.snapshots.length === 1);
    const heardAt = performance.now();
    await until(() => performance.now() - heardAt > REAL_WAITS.lostAfterMs + 100);
    expect(control.control.state().faults.map(({ id }) => id)).toEqual([fault.id]);
    after.socket.close();
    await until(() => endReason(watching, fault.id) !== undefined);
    expect(endReason(watching, fault.id)).toBe('owner_lost');
    await until(() => !control.control.state().operators.some(({ tabId }) => tabId === 'tab'));
    const here = watching.facts.flatMap((fact) =>
      fact.type === 'operatorChanged' && fact.data.tabId === 'tab' ? [fact.data.here] : [],
    );
    expect(here).toEqual([true, false]);
  });

  it('lets another browser take the lease over', async () => {
    const control = await startSystem();
    await control.agent('proxy');
    const first = control.console({ tabId: 'first', name: 'Ana' });
    const second = control.console({ tabId: 'second', name: 'Bo' });
    const fault = await startBy(first, 'redis');
    const taken = await second.socket.emitWithAck('fault:change', { id: fault.id, takeOver: true });
    expect(taken).toMatchObject({
      ok: true,
      data: { owner: { name: 'Bo', kind: 'browser', tabId: 'second' } },
    });
    first.socket.close();
    await until(() => !control.control.state().operators.some(({ tabId }) => tabId === 'first'));
    expect(control.control.state().faults).toHaveLength(1);
  });

  it('does not take its own sleep for silence of the browsers', () => {
    const { clock, sleep, end, leases } = startUnit();
    leases.join('tab', 'Ana', () => new Promise(() => {}));
    clock.advance(100);
    sleep(60_000); // as after SIGSTOP and SIGCONT
    clock.advance(1000);
    expect(end).not.toHaveBeenCalled();
    expect(leases.operators()).toHaveLength(1);
    clock.advance(1000);
    expect(end).toHaveBeenCalledExactlyOnceWith('f', 'owner_lost', 'Ana');
    leases.close();
  });

  it('does not give a tab that has answered after such a sleep the time of the sleep on top', async () => {
    const { clock, sleep, end, leases } = startUnit();
    let answers = true;
    const leave = leases.join('tab', 'Ana', () => (answers ? Promise.resolve() : new Promise(() => {})));
    clock.advance(30);
    sleep(60_000);
    clock.advance(69); // asked, and answered, before the next look
    await Promise.resolve();
    answers = false;
    leave();
    clock.advance(2000);
    expect(end).toHaveBeenCalledOnce();
    expect(leases.operators()).toEqual([]);
    leases.close();
  });

  it('asks every tab of a crowd, a few at a time', () => {
    const { clock, leases } = startUnit();
    const ask = vi.fn(() => Promise.resolve());
    for (let n = 0; n < 120; n++) leases.join(`tab-${n}`, 'Ana', ask);
    clock.advance(WAITS.askEveryMs);
    const atOnce = ask.mock.calls.length;
    clock.advance(WAITS.askEveryMs / 2);
    expect([atOnce, ask.mock.calls.length]).toEqual([50, 120]);
    leases.close();
  });

  it('ends a fault that came into force when its tab had been given up, after a warning', () => {
    const { clock, tell, end, leases } = startUnit();
    clock.advance(200); // nobody called "tab" was ever heard
    expect(tell).toHaveBeenCalledExactlyOnceWith('leaseWarning', 'redis', {
      faultId: 'f',
      owner: 'Ana',
      endsInMs: 0,
    });
    expect(end).toHaveBeenCalledOnce();
    clock.advance(5000);
    expect(end).toHaveBeenCalledOnce(); // the desk itself keeps asking
    leases.close();
  });
});

/** Leases alone, with a fault `f` of the tab "tab", on a clock that can jump without its timers. */
function startUnit() {
  const clock = new ManualClock();
  let sleptMs = 0;
  const jumping: Clock = {
    now: () => clock.now() + sleptMs,
    monotonicMs: () => clock.monotonicMs() + sleptMs,
    after: (delayMs, callback) => clock.after(delayMs, callback),
  };
  const owner = { name: 'Ana', kind: 'browser', tabId: 'tab' };
  const faults = () => [{ id: 'f', service: 'redis', owner } as Fault];
  const end = vi.fn(() => Promise.reject(new Error('not wanted')));
  const tell = vi.fn();
  const leases = new Leases({ desk: { faults, end }, log: { tell }, clock: jumping, ...WAITS });
  return {
    clock,
    end,
    tell,
    leases,
    sleep: (ms: number) => {
      sleptMs += ms;
    },
  };
}
