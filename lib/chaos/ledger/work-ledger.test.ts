import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { LedgerStatus as ProtocolStatus } from '#lib/protocol/state.ts';
import {
  type LedgerHome,
  type LedgerSources,
  type LedgerStatus,
  type Reconciliation,
  WorkLedger,
} from './work-ledger.ts';

type Given = Partial<Record<LedgerHome | 'inTwoEvents', string[] | Error>> & {
  accepted?: string[] | Error;
  owed?: number | Error;
};

const NAMES = [
  'inbox',
  'queued',
  'memory',
  'disk',
  'inFlight',
  'dlq',
  'dropped',
  'quarantined',
  'duplicate',
  'stored',
  'inTwoEvents',
] as const;

function makeSources(given: Given): LedgerSources {
  const set = (name: (typeof NAMES)[number]) => {
    const source = given[name] ?? [];
    return source instanceof Error ? source : new Set(source);
  };
  const sets = Object.fromEntries(NAMES.map((name) => [name, set(name)])) as Record<
    (typeof NAMES)[number],
    Set<string> | Error
  >;
  const accepted = given.accepted ?? [];
  return {
    ...sets,
    accepted: accepted instanceof Error ? accepted : new Map(accepted.map((id, n) => [id, 1000 + n * 100])),
    owed: given.owed ?? 0,
  };
}

function makeLedger() {
  const ledger = new WorkLedger();
  return { ledger, round: (given: Given, at = 5000) => ledger.reconcile(makeSources(given), at) };
}

describe('WorkLedger', () => {
  it('gives each upload one home, by precedence, and adds up', () => {
    const { round } = makeLedger();
    const accepted = ['s', 'd', 'q', 'x', 'l', 'j', 'm', 'k', 'f', 'i'];
    const result = round({
      accepted,
      stored: ['s'],
      duplicate: ['d'],
      quarantined: ['q'],
      dropped: ['x'],
      dlq: ['l', 'q', 's'],
      queued: ['j', 's', 'l'],
      memory: ['m', 'j'],
      disk: ['k', 'm'],
      inFlight: ['f', 'j', 'k'],
      inbox: accepted,
      owed: 4,
    });
    expect(result).toMatchObject({
      accepted: 10,
      stored: 1,
      duplicate: 1,
      quarantined: 1,
      dropped: 1,
      dlq: 1,
      queued: 1,
      memory: 1,
      disk: 1,
      parked: 2,
      inFlight: 1,
      inbox: 1,
      moving: 0,
      lost: 0,
      doubled: 0,
      owed: 4,
      verdict: 'BALANCED',
      reconciledAt: 5000,
      unreadable: [],
    });
    expectTypeOf(result).toExtend<ProtocolStatus>();
    expectTypeOf<LedgerStatus>().toEqualTypeOf<ProtocolStatus>();
  });

  it('calls an upload without a home moving at first and lost in the next round, until it is seen again', () => {
    const { round } = makeLedger();
    expect(round({ accepted: ['a', 'b'], stored: ['b'] })).toMatchObject({
      moving: 1,
      lost: 0,
      verdict: 'MOVING',
    });
    expect(round({ accepted: ['a', 'b'], stored: ['b'] })).toMatchObject({
      moving: 0,
      lost: 1,
      lostIds: ['a'],
      verdict: 'LOSS',
    });
    expect(round({ accepted: ['a', 'b'], stored: ['b'], inFlight: ['a'] })).toMatchObject({
      lost: 0,
      lostIds: [],
      verdict: 'BALANCED',
    });
  });

  it('does not call lost what was seen in between', () => {
    const { round } = makeLedger();
    round({ accepted: ['a'] });
    round({ accepted: ['a'], inFlight: ['a'] });
    expect(round({ accepted: ['a'] })).toMatchObject({ moving: 1, lost: 0, verdict: 'MOVING' });
  });

  it('keeps an upload lost whose very record has gone', () => {
    const { round } = makeLedger();
    round({ accepted: ['a', 'b'], inbox: ['b'] });
    round({ accepted: ['a', 'b'], inbox: ['b'] });
    expect(round({ accepted: ['b'], inbox: ['b'] })).toMatchObject({ accepted: 2, lost: 1, verdict: 'LOSS' });
  });

  it('is as red for an upload with two ends, or in two events', () => {
    const { round } = makeLedger();
    expect(round({ accepted: ['a'], stored: ['a'], duplicate: ['a'] })).toMatchObject({
      stored: 1,
      duplicate: 0,
      doubled: 1,
      doubledIds: ['a'],
      verdict: 'LOSS',
    });
    expect(round({ accepted: ['a'], stored: ['a'], inTwoEvents: ['a'] })).toMatchObject({
      doubled: 1,
      verdict: 'LOSS',
    });
    expect(round({ accepted: ['a'], stored: ['a'] })).toMatchObject({ doubled: 0, verdict: 'BALANCED' });
  });

  it('does not mind an upload in two schedules, or a dead letter beside an end', () => {
    const { round } = makeLedger();
    expect(
      round({
        accepted: ['a', 'b', 'c'],
        queued: ['a'],
        memory: ['a'],
        inbox: ['a'],
        stored: ['b'],
        dlq: ['b', 'c'],
        quarantined: ['c'],
      }),
    ).toMatchObject({ queued: 1, stored: 1, quarantined: 1, doubled: 0, verdict: 'BALANCED' });
  });

  it('says UNKNOWN while a source cannot be read: nothing becomes lost, nothing lost is forgotten', () => {
    const { round } = makeLedger();
    const gone = new Error('connect ECONNREFUSED');
    round({ accepted: ['lost', 'x'], stored: ['x'], owed: 2 });
    round({ accepted: ['lost', 'x'], stored: ['x'], owed: 2 });
    for (let n = 0; n < 3; n++) {
      expect(round({ accepted: ['lost', 'x', 'new'], stored: gone, owed: gone }, 9000)).toMatchObject({
        verdict: 'UNKNOWN',
        unreadable: ['stored', 'owed'],
        lost: 1,
        lostIds: ['lost'],
        stored: 1, // as it was last read
        moving: 1,
        owed: 2,
        reconciledAt: 9000,
      });
    }
    // Two complete rounds are needed again.
    expect(round({ accepted: ['lost', 'x', 'new'], stored: ['x'] })).toMatchObject({
      lost: 1,
      moving: 1,
      verdict: 'LOSS',
    });
    expect(round({ accepted: ['lost', 'x', 'new'], stored: ['x'] }).lostIds).toEqual(['lost', 'new']);
  });

  it('takes no round with an unreadable source for the second one', () => {
    const { round } = makeLedger();
    round({ accepted: ['a'] });
    expect(round({ accepted: ['a'], dlq: new Error('away') })).toMatchObject({ moving: 1, lost: 0 });
  });

  it('frees a lost upload that is seen in a source that can be read', () => {
    const { round } = makeLedger();
    round({ accepted: ['a'] });
    round({ accepted: ['a'] });
    expect(round({ accepted: ['a'], queued: ['a'], stored: new Error('away') })).toMatchObject({
      lost: 0,
      verdict: 'UNKNOWN',
    });
  });

  it('keeps its last counts while the record of what was accepted cannot be read', () => {
    const { ledger, round } = makeLedger();
    expect(ledger.last).toMatchObject({ verdict: 'UNKNOWN', reconciledAt: null });
    round({ accepted: ['a', 'b'], stored: ['a'] });
    expect(round({ accepted: new Error('EIO') }, 6000)).toMatchObject({
      accepted: 2,
      stored: 1,
      verdict: 'UNKNOWN',
      unreadable: ['accepted'],
      reconciledAt: 6000,
    });
    expect(round({ accepted: ['a', 'b'], stored: ['a'] })).toMatchObject({ moving: 1, lost: 0 });
    expect(ledger.last.verdict).toBe('MOVING');
  });

  it('keeps a doubled upload red while the source that could clear it is away', () => {
    const { round } = makeLedger();
    round({ accepted: ['a'], stored: ['a'], duplicate: ['a'] });
    expect(round({ accepted: ['a'], stored: ['a'], duplicate: new Error('away') })).toMatchObject({
      doubled: 1,
    });
    expect(round({ accepted: ['a'], stored: ['a'] })).toMatchObject({ doubled: 0 });
    round({ accepted: ['a'], stored: ['a'], inTwoEvents: ['a'] });
    expect(round({ accepted: ['a'], stored: ['a'], inTwoEvents: new Error('away') })).toMatchObject({
      doubled: 1,
    });
  });

  it('tells the age of the oldest upload that is not at its end', () => {
    const { round } = makeLedger();
    expect(
      round({ accepted: ['a', 'b', 'c'], stored: ['a'], dlq: ['b'], inbox: ['c'] }).oldestPendingMs,
    ).toBe(3900);
    expect(round({ accepted: ['a', 'b'], stored: ['a'], quarantined: ['b'] }).oldestPendingMs).toBeNull();
    expect(round({ accepted: ['a'] }, 500).oldestPendingMs).toBe(0);
  });

  it('lists at most 20 by name, and has all', () => {
    const { round } = makeLedger();
    const accepted = Array.from({ length: 30 }, (_, n) => `u${n}`);
    round({ accepted });
    const result = round({ accepted });
    expect([result.lost, result.lostIds.length, result.allLostIds.length]).toEqual([30, 20, 30]);
    const doubled = round({ accepted, stored: accepted, duplicate: accepted });
    expect([doubled.doubled, doubled.doubledIds.length]).toEqual([30, 20]);
  });

  it('knows nothing before the first round', () => {
    expect(new WorkLedger().last).toMatchObject({
      verdict: 'UNKNOWN',
      reconciledAt: null,
      accepted: 0,
      lostIds: [],
      allLostIds: [],
      doubledIds: [],
      unreadable: [],
    });
  });

  it('adds up in any state, and finds exactly what is missing twice', () => {
    const id = fc.constantFrom(...Array.from({ length: 12 }, (_, n) => `u${n}`));
    const ids = fc.array(id, { maxLength: 8 });
    const given = fc.record(
      Object.fromEntries(NAMES.filter((name) => name !== 'inTwoEvents').map((name) => [name, ids])),
    ) as fc.Arbitrary<Record<LedgerHome, string[]>>;
    const accepted = fc.uniqueArray(id, { minLength: 1 });
    fc.assert(
      fc.property(accepted, given, given, (uploads, first, second) => {
        const { round } = makeLedger();
        round({ accepted: uploads, ...first });
        const result = round({ accepted: uploads, ...second });
        const {
          stored,
          duplicate,
          quarantined,
          dropped,
          dlq,
          queued,
          parked,
          inFlight,
          inbox,
          moving,
          lost,
        } = result;
        expect(
          stored +
            duplicate +
            quarantined +
            dropped +
            dlq +
            queued +
            parked +
            inFlight +
            inbox +
            moving +
            lost,
        ).toBe(result.accepted);
        const homeless = (round: Record<LedgerHome, string[]>) =>
          uploads.filter((upload) => !Object.values(round).some((home) => home.includes(upload)));
        const missing = homeless(first).filter((upload) => homeless(second).includes(upload));
        expect(new Set(result.allLostIds)).toEqual(new Set(missing));
      }),
      { numRuns: 300 },
    );
  });

  describe('read while the work goes on', () => {
    const ids = ['u0', 'u1', 'u2', 'u3', 'u4', 'u5'];
    const which = fc.constantFrom(...ids);
    const step = fc.oneof(
      { weight: 2, arbitrary: fc.record({ do: fc.constant('accept' as const), which }) },
      {
        weight: 5,
        arbitrary: fc.record({
          do: fc.constant('schedule' as const),
          which,
          home: fc.constantFrom('queued' as const, 'memory' as const, 'disk' as const, 'inFlight' as const),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('end' as const),
          which,
          home: fc.constantFrom('stored' as const, 'duplicate' as const, 'quarantined' as const),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('tidy' as const), which }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
      { weight: 12, arbitrary: fc.record({ do: fc.constant('read' as const) }) },
    );
    const schedule = fc.array(step, { maxLength: 200, size: 'max' });

    it('balances in every round, whatever moves or crashes between two of its reads', () => {
      fc.assert(
        fc.property(schedule, (steps) => {
          const work = new Work();
          for (const each of steps) {
            const result = work.take(each);
            if (result) expect(result).toMatchObject({ verdict: 'BALANCED', moving: 0, lost: 0, doubled: 0 });
          }
        }),
        { numRuns: 200 },
      );
    });

    it('never balances over a loss and a duplicate together, although the sum is right', () => {
      fc.assert(
        fc.property(schedule, schedule, (before, after) => {
          const work = new Work();
          for (const id of ['victim', 'twin']) work.accept(id);
          for (const each of before) work.take(each);
          work.finishRound(); // begun before the harm was done
          work.lose('victim');
          work.double('twin');
          const first = work.finishRound();
          expect(first).toMatchObject({ verdict: 'LOSS', moving: 1, lost: 0, doubledIds: ['twin'] });
          for (const each of after) {
            const result = work.take(each);
            if (result) expect(result).toMatchObject({ verdict: 'LOSS', lostIds: ['victim'] });
          }
          const last = work.finishRound();
          expect(last).toMatchObject({ verdict: 'LOSS', lostIds: ['victim'], doubledIds: ['twin'] });
        }),
        { numRuns: 200 },
      );
    });
  });
});

/** Sources in the order in which the ledger asks for them to be read. */
const READ_ORDER = ['accepted', ...NAMES] as const;

/**
 * A pipeline as the ledger may see it: the inbox keeps a file until its end is written down, schedules come and go, a
 * crash empties those that were in memory, and each read sees what is there at its moment.
 */
class Work {
  readonly #ledger = new WorkLedger();
  readonly #accepted: string[] = [];
  readonly #homes = new Map<string, Set<LedgerHome>>();
  #given: Given = {};
  #read = 0;

  take(step: { do: string; which?: string; home?: LedgerHome }): Reconciliation | undefined {
    const { which = '', home } = step;
    if (step.do === 'read') return this.#readNext();
    if (step.do === 'accept') this.accept(which);
    else if (step.do === 'crash') this.#crash();
    else if (step.do === 'tidy') this.#tidy(which);
    else if (home) this.#move(which, home);
    return undefined;
  }

  accept(id: string): void {
    if (this.#homes.has(id)) return;
    this.#homes.set(id, new Set(['inbox']));
    this.#accepted.push(id);
  }

  lose(id: string): void {
    this.#homes.set(id, new Set());
  }

  double(id: string): void {
    this.#homes.set(id, new Set(['stored', 'duplicate']));
  }

  finishRound(): Reconciliation {
    for (;;) {
      const result = this.#readNext();
      if (result) return result;
    }
  }

  /** To a schedule, or to its end; an upload that is at its end, or lost, stays as it is. */
  #move(id: string, home: LedgerHome): void {
    const homes = this.#homes.get(id);
    if (!homes || isAtEnd(homes) || homes.size === 0) return;
    if (!ENDS.has(home)) for (const each of homes) if (each !== 'inbox') homes.delete(each);
    homes.add(home);
  }

  /** After the end is written: the file leaves the inbox, its job is acknowledged. */
  #tidy(id: string): void {
    const homes = this.#homes.get(id);
    if (homes && isAtEnd(homes)) for (const each of homes) if (!ENDS.has(each)) homes.delete(each);
  }

  #crash(): void {
    for (const homes of this.#homes.values())
      for (const gone of ['memory', 'inFlight'] as const) homes.delete(gone);
  }

  #readNext(): Reconciliation | undefined {
    const name = READ_ORDER[this.#read++];
    if (name === 'accepted') this.#given = { accepted: [...this.#accepted] };
    else if (name === 'inTwoEvents') this.#given[name] = [];
    else if (name)
      this.#given[name] = [...this.#homes].filter(([, homes]) => homes.has(name)).map(([id]) => id);
    if (this.#read < READ_ORDER.length) return undefined;
    this.#read = 0;
    return this.#ledger.reconcile(makeSources(this.#given), 5000);
  }
}

const ENDS: ReadonlySet<LedgerHome> = new Set(['stored', 'duplicate', 'quarantined']);

function isAtEnd(homes: ReadonlySet<LedgerHome>): boolean {
  return [...homes].some((home) => ENDS.has(home));
}
