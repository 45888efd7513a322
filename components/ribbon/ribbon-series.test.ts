import { describe, expect, it } from 'vitest';
import type { Fact, FactData, FactType } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import { breakerBands, clusterMarks, faultBands, modeBands } from './ribbon-series.ts';

let seq = 0;
function makeFact<T extends FactType>(at: number, type: T, data: FactData[T]): Fact {
  return { seq: ++seq, at, type, subject: 'x', data } as Fact;
}
function makeFault(id: string, startedAt: number): Fault {
  return {
    id,
    version: 1,
    service: 'redis',
    type: 'timeout',
    title: 'Timeout',
    params: {},
    ratio: 1,
    seed: 1,
    ttlMs: 60_000,
    leftMs: 60_000,
    owner: { name: 'Ana', kind: 'browser' },
    startedAt,
    expiresAt: startedAt + 60_000,
    plane: 'network',
    injector: 'proxy',
    armedInMs: 3,
    hits: 0,
    hitsByKind: {},
    seen: 0,
  };
}
const ended = (at: number, faultId: string) =>
  makeFact(at, 'faultEnded', {
    faultId,
    service: 'redis',
    faultType: 'timeout',
    reason: 'stopped',
    hits: 1,
    by: 'Ana',
    receipt: null,
  });

describe('faultBands', () => {
  it('puts faults that overlap in rows of their own and reuses a row that is free', () => {
    const facts = [
      makeFact(100, 'faultStarted', { fault: makeFault('a', 100) }),
      makeFact(150, 'faultStarted', { fault: makeFault('b', 150) }),
      ended(200, 'a'),
      makeFact(300, 'faultStarted', { fault: makeFault('c', 300) }),
    ];
    const bands = faultBands(facts, [], 0, 1_000);
    expect(bands.map((band) => [band.value.id, band.row, band.toAt])).toEqual([
      ['a', 0, 200],
      ['b', 1, null],
      ['c', 0, null],
    ]);
  });

  it('says how many lie under the last band when the rows do not suffice, and writes over none', () => {
    const facts = ['a', 'b', 'c', 'd'].map((id, index) =>
      makeFact(100 + index, 'faultStarted', { fault: makeFault(id, 100 + index) }),
    );
    const bands = faultBands(facts, [], 0, 1_000);
    expect(bands.map((band) => [band.row, band.value.shown])).toEqual([
      [0, 'redis timeout'],
      [1, 'redis timeout'],
      [2, ''],
      [2, 'redis timeout +1'],
    ]);
  });

  it('leaves out what it is told to, without keeping a row for it', () => {
    const facts = [
      makeFact(100, 'faultStarted', { fault: makeFault('a', 100) }),
      makeFact(150, 'faultStarted', { fault: makeFault('b', 150) }),
    ];
    const bands = faultBands(facts, [], 0, 1_000, (fault) => fault.id === 'b');
    expect(bands.map((band) => [band.value.id, band.row])).toEqual([['b', 0]]);
  });

  it('shows an active fault whose start is older than the facts, and none that ended before the window', () => {
    const facts = [makeFact(10, 'faultStarted', { fault: makeFault('old', 10) }), ended(20, 'old')];
    const bands = faultBands(facts, [makeFault('kept', 5)], 100, 200);
    expect(bands.map((band) => band.value.id)).toEqual(['kept']);
  });
});

describe('a fault older than the facts', () => {
  it('ends where they say so', () => {
    const bands = faultBands([ended(150, 'kept')], [makeFault('kept', 5)], 100, 200);
    expect(bands.map((band) => [band.value.id, band.toAt])).toEqual([['kept', 150]]);
  });
});

describe('modeBands', () => {
  it('reads the mode before the first change from that change', () => {
    const facts = [makeFact(500, 'modeChanged', { from: 'NORMAL', to: 'DEGRADED', causes: [] })];
    expect(modeBands(facts, 'DEGRADED', 0, 1_000)).toEqual([
      { fromAt: 0, toAt: 500, value: 'NORMAL' },
      { fromAt: 500, toAt: null, value: 'DEGRADED' },
    ]);
  });

  it('draws nothing when nothing is known', () => {
    expect(modeBands([], null, 0, 1_000)).toEqual([]);
  });
});

describe('breakerBands', () => {
  it('leaves out breakers that stayed closed', () => {
    const change = makeFact(400, 'breakerChanged', {
      breaker: 'redis',
      from: 'CLOSED',
      to: 'OPEN',
      reason: 'threshold',
      failures: 5,
      origin: 'injected',
    });
    const rows = breakerBands(
      [change],
      new Map([
        ['redis', 'OPEN' as const],
        ['yolo26', 'CLOSED' as const],
      ]),
      0,
      1_000,
    );
    expect(rows.map((row) => row.name)).toEqual(['redis']);
    expect(rows[0]?.bands.map((band) => band.value)).toEqual(['CLOSED', 'OPEN']);
  });
});

describe('clusterMarks', () => {
  it('joins marks closer than 12 px and keeps the gravest kind', () => {
    const clusters = clusterMarks([
      { x: 30, texts: ['c'], kind: 'note' },
      { x: 0, texts: ['a'], kind: 'note' },
      { x: 8, texts: ['b'], kind: 'halt' },
    ]);
    expect(clusters).toEqual([
      { x: 0, texts: ['a', 'b'], kind: 'halt' },
      { x: 30, texts: ['c'], kind: 'note' },
    ]);
  });
});
