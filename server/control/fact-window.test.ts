import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '#lib/chaos/clock.ts';
import type { Fact } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import type { State } from '#lib/protocol/state.ts';
import { FactLog } from './fact-log.ts';
import { readFactWindow } from './fact-window.ts';

const logger = pino({ level: 'silent' });
let dir: string;
let clock: ManualClock;
let log: FactLog;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brownout-window-'));
  clock = new ManualClock();
  ({ log } = await FactLog.open({ dir, logger, clock }));
});
afterEach(async () => {
  await log.close();
  rmSync(dir, { recursive: true, force: true });
});

const present = (parts: object = {}) =>
  ({
    mode: 'NORMAL',
    halted: null,
    pipeline: { breakers: [{ name: 'redis', state: 'CLOSED' }] },
    ...parts,
  }) as State;
const fault = (id: string) => ({ id, service: 'redis', type: 'timeout' }) as Fault;

function note(text: string): Fact {
  return log.tell('note', 'Ana', { by: 'Ana', text });
}
function breaker(from: 'CLOSED' | 'OPEN', to: 'CLOSED' | 'OPEN'): void {
  log.tell('breakerChanged', 'redis', { breaker: 'redis', from, to, reason: '', failures: 3, origin: null });
}
function started(id: string): void {
  log.tell('faultStarted', 'redis', { fault: fault(id) });
}
function ended(id: string): void {
  const receipt = {
    service: 'redis',
    faultType: 'timeout',
    reason: 'stopped',
    hits: 0,
    by: 'Ana',
    receipt: null,
  } as const;
  log.tell('faultEnded', 'redis', { faultId: id, ...receipt });
}

const read = (fromMs?: number, toMs?: number, more: { after?: number; limit?: number } = {}) =>
  readFactWindow(log, present, clock.now(), { fromMs, toMs, limit: 100, ...more });
const texts = (facts: readonly Fact[]) =>
  facts.map((fact) => (fact.type === 'note' ? fact.data.text : fact.type));

describe('readFactWindow', () => {
  it('gives the facts of the window alone, both ends included', async () => {
    note('before');
    clock.advance(1000);
    const fromMs = clock.now();
    note('first');
    clock.advance(1000);
    note('last');
    const toMs = clock.now();
    clock.advance(1);
    note('after');
    const window = await read(fromMs, toMs);
    expect(texts(window.facts)).toEqual(['first', 'last']);
    expect(window).toMatchObject({ fromMs, toMs, seq: 4, gap: false, more: false });
  });

  it('says what held at its start: by what was told before, else by what came after, else by the present', async () => {
    started('over');
    started('held');
    breaker('CLOSED', 'OPEN');
    ended('over');
    clock.advance(1000);
    const fromMs = clock.now();
    ended('held');
    log.tell('modeChanged', 'mode', { from: 'DEGRADED', to: 'NORMAL', causes: [] });
    breaker('OPEN', 'CLOSED');
    const { standing } = await read(fromMs);
    expect(standing).toMatchObject({
      mode: 'DEGRADED',
      breakers: [{ name: 'redis', state: 'OPEN' }],
      halted: false,
    });
    expect(standing.faults.map(({ id }) => id)).toEqual(['held']);
    clock.advance(1000);
    const later = await read(clock.now());
    expect(later.standing).toMatchObject({
      mode: 'NORMAL',
      breakers: [{ name: 'redis', state: 'CLOSED' }],
      faults: [],
    });
  });

  it('knows nothing of a time before the first fact', async () => {
    const before = clock.now();
    clock.advance(60_000);
    log.tell('modeChanged', 'mode', { from: 'NORMAL', to: 'DEGRADED', causes: [] });
    const { standing, gap } = await read(before, before + 1000);
    expect([standing, gap]).toEqual([{ mode: null, breakers: [], faults: [], halted: false }, false]);
  });

  it('goes on after a limit', async () => {
    const fromMs = clock.now();
    for (const text of ['a', 'b', 'c']) note(text);
    const first = await read(fromMs, undefined, { limit: 2 });
    expect([texts(first.facts), first.more]).toEqual([['a', 'b'], true]);
    const rest = await read(fromMs, undefined, { limit: 2, after: 2 });
    expect([texts(rest.facts), rest.more]).toEqual([['c'], false]);
  });

  it('reads what memory has let go of from the files', async () => {
    await log.close();
    clock = new ManualClock(Date.now()); // the files' times are the machine's
    ({ log } = await FactLog.open({ dir, logger, clock, keep: 5 }));
    const fromMs = clock.now();
    for (let index = 0; index < 50; index++) {
      clock.advance(10);
      note(String(index));
    }
    const { facts, gap } = await read(fromMs, fromMs + 30);
    expect(texts(facts)).toEqual(['0', '1', '2']);
    expect(gap).toBe(false);
  });

  it('says when facts of the window are gone', async () => {
    const slices = async function* () {
      yield [note('5'), note('6')].map((fact, index) => ({ ...fact, seq: 5 + index, at: 5000 + index }));
    };
    const gone = await readFactWindow({ slices, seq: 6 }, present, 9000, {
      fromMs: 1000,
      toMs: 9000,
      limit: 9,
    });
    expect(gone).toMatchObject({ gap: true, standing: { mode: null } });
  });

  it('refuses a window that ends before it begins', async () => {
    const now = clock.now();
    await expect(read(now, now - 1)).rejects.toMatchObject({
      problem: { code: 'INVALID_INPUT', field: 'toMs' },
    });
    await expect(read(now + 60_000)).rejects.toMatchObject({ problem: { field: 'fromMs' } });
  });
});
