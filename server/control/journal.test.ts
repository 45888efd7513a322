import { appendFileSync, cpSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Fact } from '#lib/protocol/facts.ts';
import { TestControl } from './control.fixture.ts';
import { FactLog } from './fact-log.ts';
import { Journal, type JournalOptions } from './journal.ts';

const logger = pino({ level: 'silent' });
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brownout-journal-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function note(seq: number): Fact {
  return { seq, at: seq, type: 'note', subject: 'Ana', data: { by: 'Ana', text: `note ${seq}` } };
}

const open = (options: Partial<JournalOptions> = {}, keep = 100) =>
  Journal.open({ dir, logger, ...options }, keep);

describe('Journal', () => {
  it('gives back what was written, also when the process died without closing it', async () => {
    const [journal] = await open();
    journal.append({ kind: 'fact', fact: note(1), key: 'a' });
    journal.append({ kind: 'arming', intent: { id: 'f1', service: 'redis', type: 'timeout', by: 'Ana' } });
    journal.append({ kind: 'arming', intent: { id: 'f2', service: 'redis', type: 'latency', by: 'Ana' } });
    journal.append({ kind: 'notArmed', id: 'f2' });
    journal.append({ kind: 'halting', halted: { at: 1, by: 'Ana', reason: '' } });
    const [, contents] = await open();
    expect(contents.seq).toBe(1);
    expect(contents.facts).toEqual([{ fact: note(1), key: 'a' }]);
    expect(contents.open.map(({ id }) => id)).toEqual(['f1']);
    expect(contents.halted).toMatchObject({ by: 'Ana' });
    await journal.close();
  });

  it('removes a torn last line and goes on behind it', async () => {
    const [journal] = await open();
    journal.append({ kind: 'fact', fact: note(1) });
    await journal.close();
    const [name = ''] = readdirSync(dir);
    appendFileSync(join(dir, name), '{"kind":"fact","fact":{"seq":2,"at');
    const [again, torn] = await open();
    expect(torn.seq).toBe(1);
    again.append({ kind: 'fact', fact: note(2) });
    await again.close();
    const [last, contents] = await open();
    expect(contents.facts.map(({ fact }) => fact.seq)).toEqual([1, 2]);
    expect(last.read(0, 10).map((fact) => fact.seq)).toEqual([1, 2]);
    await last.close();
  });

  it('skips a line that is not JSON', async () => {
    const [journal] = await open();
    journal.append({ kind: 'fact', fact: note(1) });
    await journal.close();
    const [name = ''] = readdirSync(dir);
    appendFileSync(join(dir, name), '\u0000\u0000garbage\n');
    const [again] = await open();
    again.append({ kind: 'fact', fact: note(2) });
    expect(again.read(0, 10).map((fact) => fact.seq)).toEqual([1, 2]);
    await again.close();
  });

  it('rotates segments, carries the state over and drops the oldest', async () => {
    const small = { segmentBytes: 2000, maxSegments: 3 };
    const [journal] = await open(small);
    journal.append({ kind: 'arming', intent: { id: 'f1', service: 'redis', type: 'timeout', by: 'Ana' } });
    for (let seq = 1; seq <= 200; seq++) journal.append({ kind: 'fact', fact: note(seq) });
    await journal.close();
    await vi.waitFor(() => expect(readdirSync(dir)).toHaveLength(3), 5000);
    const [again, contents] = await open(small, 20);
    expect(contents.seq).toBe(200);
    expect(contents.open.map(({ id }) => id)).toEqual(['f1']);
    expect(contents.facts.map(({ fact }) => fact.seq)).toEqual(Array.from({ length: 20 }, (_, i) => 181 + i));
    expect(again.read(170, 5).map((fact) => fact.seq)).toEqual([171, 172, 173, 174, 175]);
    await again.close();
  });
});

describe('the slices of a Journal', () => {
  it('go through all files in order, skipping those that were closed before the time asked for', async () => {
    const [journal] = await open({ segmentBytes: 2000 });
    for (let seq = 1; seq <= 100; seq++) journal.append({ kind: 'fact', fact: note(seq) });
    const read = async (sinceAt: number) => {
      const seqs: number[] = [];
      for await (const slice of journal.slices(sinceAt)) seqs.push(...slice.map((fact) => fact.seq));
      return seqs;
    };
    expect(await read(0)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    for (const name of readdirSync(dir).sort().slice(0, 3)) utimesSync(join(dir, name), 1, 1);
    const [first = 0, ...rest] = await read(Date.now() - 60_000);
    expect(first).toBeGreaterThan(1);
    expect(rest.at(-1)).toBe(100);
    await journal.close();
  });
});

describe('FactLog', () => {
  it('goes on numbering where the last run stopped', async () => {
    const first = await FactLog.open({ dir, logger });
    first.log.tell('note', 'Ana', { by: 'Ana', text: 'one' });
    await first.log.close();
    const second = await FactLog.open({ dir, logger });
    expect(second.log.tell('note', 'Ana', { by: 'Ana', text: 'two' }).seq).toBe(2);
    await second.log.close();
  });

  it('takes a repeated delivery once, also after a restart', async () => {
    const draft = { key: 'k', at: 1, type: 'note', subject: 'x', data: { by: 'x', text: 'x' } } as const;
    const first = await FactLog.open({ dir, logger });
    first.log.receive(draft);
    first.log.receive(draft);
    expect(first.log.seq).toBe(1);
    await first.log.close();
    const second = await FactLog.open({ dir, logger });
    second.log.receive(draft);
    expect(second.log.seq).toBe(1);
    await second.log.close();
  });

  it('reads what memory has let go of from the files, and says when facts are missing', async () => {
    const { log } = await FactLog.open({ dir, logger, keep: 10 });
    for (let count = 0; count < 50; count++) log.tell('note', 'x', { by: 'x', text: String(count) });
    expect(log.since(2, 3)).toMatchObject({ facts: [{ seq: 3 }, { seq: 4 }, { seq: 5 }], gap: false });
    expect(log.since(48, 10).facts.map((fact) => fact.seq)).toEqual([49, 50]);
    expect(log.since(99, 10).gap).toBe(true);
    await log.close();
  });
});

describe('after a crash of the control process', () => {
  it('journals the faults that were open as ended by it', async () => {
    const system = await TestControl.start();
    await system.agent('proxy');
    const { body: fault } = await system.call('POST', '/api/v1/faults', {
      service: 'redis',
      type: 'timeout',
    });
    cpSync(system.dataDir, dir, { recursive: true }); // what a kill -9 leaves behind
    const { seq } = system.control.state();
    await system.close();
    const next = await TestControl.start({}, dir);
    try {
      const facts = await next.facts();
      expect(facts.map((fact) => fact.seq)).toEqual(facts.map((_, index) => index + 1));
      expect(facts.slice(seq).map((fact) => fact.type)).toEqual(['controlStarted', 'faultEnded']);
      expect(facts.at(-1)?.data).toMatchObject({ faultId: fault.id, reason: 'control_crashed' });
      expect(next.control.state().faults).toEqual([]);
      await next.control.close();
      await next.startAgain();
      expect((await next.facts()).filter((each) => each.type === 'faultEnded')).toHaveLength(1);
    } finally {
      await next.close();
    }
  });
});
