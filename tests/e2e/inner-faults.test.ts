import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fact } from '#lib/protocol/facts.ts';
import type { State } from '#lib/protocol/state.ts';
import { type System, startSystem } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import { accountFor, quarantined } from '#tests/support/witness.ts';

/** Faults that act inside the processes of a whole system, switched by the API. */
let system: System;

beforeAll(async () => {
  system = await startSystem({ cameraRate: 4 });
  await until(
    'the first event is stored',
    40_000,
    async () => (await system.sql('select 1 from events limit 1')).length > 0,
  );
});
afterAll(() => system?.close());

const hitsOf = (state: State, id: string) => state.faults.find((fault) => fault.id === id)?.hits ?? 0;

async function startAll(
  faults: readonly [service: string, type: string, more?: object][],
): Promise<string[]> {
  const started = await Promise.all(
    faults.map(([service, type, more]) => system.startFault(service, type, { ...more })),
  );
  return started.map(({ id }) => id);
}

async function expectBalanced(): Promise<NonNullable<State['pipeline']>['ledger']> {
  const since = Date.now();
  const ledger = await until('the ledger balances', 40_000, async () => {
    const now = (await system.untilSteady()).pipeline?.ledger;
    return now?.verdict === 'BALANCED' && (now.reconciledAt ?? 0) > since ? now : undefined;
  });
  expect(ledger).toMatchObject({ lost: 0, doubled: 0 });
  return ledger;
}

const breakerFacts = (facts: readonly Fact[], name: string) =>
  facts.flatMap((fact) => (fact.type === 'breakerChanged' && fact.data.breaker === name ? [fact.data] : []));

describe('faults on uploads', () => {
  it('give every upload a home: quarantined, duplicate, dropped by name; none is lost', async () => {
    const ids = await startAll([
      ['ftp', 'corrupted_file', { ratio: 0.5 }],
      ['ftp', 'invalid_format', { ratio: 0.5 }],
      ['ftp', 'duplicate_upload', { ratio: 0.5 }],
      ['ftp', 'incomplete_upload', { ratio: 0.3 }],
      ['ftp', 'file_deleted', { ratio: 0.2 }],
    ]);
    await until('each has hit', 40_000, async () => {
      const state = await system.state();
      return ids.every((id) => hitsOf(state, id) >= 2) || undefined;
    });
    for (const id of ids) expect((await system.stopFault(id)).acknowledged).toBe(true);
    const endedAt = Date.now();
    const ledger = await expectBalanced();
    expect(ledger.quarantined).toBeGreaterThan(1);
    expect(ledger.duplicate).toBeGreaterThan(0);
    expect(ledger.dropped).toBeGreaterThan(0);
    const codes = new Set(quarantined(system).map(({ code }) => code));
    expect(codes).toEqual(new Set(['CORRUPT_IMAGE', 'UNSUPPORTED_FORMAT', 'INCOMPLETE_UPLOAD']));

    // The cameras' log, SQL and quarantine agree, the dropped ones apart, which have a name and a reason.
    const text = readFileSync(join(system.dataDir, 'dlq', 'dropped.jsonl'), 'utf8');
    const dropped = new Set(
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line).id as string),
    );
    expect(dropped.size).toBe(ledger.dropped);
    const droppedNames = new Set(
      system.accepted().flatMap(({ name, uploadId }) => (uploadId && dropped.has(uploadId) ? [name] : [])),
    );
    await until('every upload has its home', 30_000, async () => {
      const { homeless, doubled } = await accountFor(system, endedAt);
      return (doubled.length === 0 && homeless.every((name) => droppedNames.has(name))) || undefined;
    });
  });

  it('disk_full: 452 and an alert, frames wait in the cameras and come afterwards', async () => {
    const [id = ''] = await startAll([['ftp', 'disk_full']]);
    await until('uploads are refused', 20_000, async () => hitsOf(await system.state(), id) >= 2);
    await until('a camera reports the 452 it got', 20_000, async () =>
      (await system.state()).cameras?.cameras.some(({ lastError }) => lastError?.includes('452')),
    );
    const alerts = await until('the alert has been told', 20_000, async () => {
      const told = (await system.facts()).filter(
        (fact) => fact.type === 'alert' && fact.data.code === 'DISK_FULL',
      );
      return told.length > 0 ? told : undefined;
    });
    expect(alerts).toHaveLength(1);
    const before = system.accepted().length;
    await system.stopFault(id);
    await until('frames come again', 20_000, () => system.accepted().length > before + 4);
    await expectBalanced();
  });
});

describe('faults on the pool and on the models', () => {
  it('pool_exhaustion: the breaker opens, called ours, and closes after the end', async () => {
    const after = (await system.facts()).at(-1)?.seq ?? 0;
    const [id = ''] = await startAll([['database', 'pool_exhaustion']]);
    await until('the breaker opens', 30_000, async () =>
      breakerFacts(await system.facts(after), 'database').some(
        ({ to, origin }) => to === 'OPEN' && origin === 'injected',
      ),
    );
    expect((await system.state()).pipeline?.pools[0]).toMatchObject({ active: 10, idle: 0 });
    await system.stopFault(id);
    await until('the breaker closes', 30_000, async () =>
      breakerFacts(await system.facts(after), 'database').some(({ to }) => to === 'CLOSED'),
    );
    await expectBalanced();
  });

  it('model_corrupted: yolo26 refuses, is called ours, and serves again from a file that was fetched', async () => {
    const file = (folder = '') => readFileSync(join(system.dataDir, 'models', folder, 'yolo26.model'));
    const after = (await system.facts()).at(-1)?.seq ?? 0;
    const [id = ''] = await startAll([['gpu', 'model_corrupted']]);
    expect(file().equals(file('store'))).toBe(false);
    await until('the breaker of yolo26 opens', 30_000, async () =>
      breakerFacts(await system.facts(after), 'yolo26').some(
        ({ to, origin }) => to === 'OPEN' && origin === 'injected',
      ),
    );
    await system.stopFault(id);
    await until('yolo26 serves again', 20_000, async () => {
      const answer = await fetch(`${system.wiring.direct.yolo26}/health`);
      return answer.status === 200 || undefined;
    });
    expect(file().equals(file('store'))).toBe(true);
    await expectBalanced();
  });
});
