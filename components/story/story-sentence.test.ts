import { describe, expect, it } from 'vitest';
import type { Fact, FactData, FactType } from '#lib/protocol/facts.ts';
import { sentence, sinceFault } from './story-sentence.ts';

function makeFact<T extends FactType>(type: T, data: FactData[T], seq = 1, at = 0): Fact {
  return { seq, at, type, subject: 'nemotron', data } as Fact;
}
const fault = {
  id: 'f1',
  version: 1,
  service: 'nemotron' as const,
  type: 'timeout',
  title: 'Timeout',
  params: {},
  ratio: 0.3,
  seed: 1,
  ttlMs: 60_000,
  leftMs: 60_000,
  owner: { name: 'Ana', kind: 'browser' as const },
  startedAt: 0,
  expiresAt: 60_000,
  plane: 'network' as const,
  injector: 'proxy' as const,
  armedInMs: 3,
  hits: 0,
  hitsByKind: {},
  seen: 0,
};

describe('sentence', () => {
  it('says who broke what, how much of it and for how long', () => {
    const { lead, text, tone } = sentence(makeFact('faultStarted', { fault }));
    expect(`${lead} ${text}`).toBe('Ana broke nemotron: timeout on 30 % of calls, for 1 min');
    expect(tone).toBe('injected');
  });

  it('keeps the capitals of names, and says of a silent browser no more than is known', () => {
    const dns = { ...fault, title: 'DNS failure', ratio: 1 };
    expect(sentence(makeFact('faultStarted', { fault: dns })).text).toBe(
      'broke nemotron: DNS failure, for 1 min',
    );
    const silent = makeFact('leaseWarning', { faultId: 'f1', owner: 'Ana', endsInMs: 3000 });
    expect(sentence(silent)).toMatchObject({
      lead: 'Ana',
      text: 'does not answer; the fault on nemotron ends in 3.0 s unless it does, or somebody takes it over',
    });
  });

  it('tells why a breaker opened in words, without source positions', () => {
    const data = { breaker: 'redis', from: 'HALF_OPEN', to: 'OPEN', failures: 1, origin: null } as const;
    expect(sentence(makeFact('breakerChanged', { ...data, reason: 'trial_failed' })).text).toBe(
      'breaker OPEN after 1 failure: the trial failed',
    );
    const text = 'A connection is held since 3000 ms by execute (file:///srv/breaker.ts:135:76)';
    expect(
      sentence(makeFact('alert', { code: 'CONNECTION_LEAK', service: 'database', count: 1, text })).text,
    ).toBe('A connection is held since 3000 ms by execute');
  });

  it('tells a failure that is not ours apart', () => {
    const data = {
      breaker: 'redis',
      from: 'CLOSED',
      to: 'OPEN',
      reason: 'ECONNREFUSED',
      failures: 5,
    } as const;
    expect(sentence(makeFact('breakerChanged', { ...data, origin: 'organic' })).text).toContain('(NOT OURS)');
    expect(sentence(makeFact('breakerChanged', { ...data, origin: 'injected' })).text).toContain(
      '(injected)',
    );
  });

  it('tells whose a fall of the mode was, and of a rise only what is up again', () => {
    const cause = { service: 'redis', origin: 'injected' } as const;
    const fell = { from: 'NORMAL', to: 'MINIMAL', causes: [{ ...cause, text: 'redis is down' }] } as const;
    const rose = {
      from: 'MINIMAL',
      to: 'NORMAL',
      causes: [{ ...cause, text: 'redis is up again' }],
    } as const;
    const text = (data: typeof fell | typeof rose) =>
      sentence(makeFact('modeChanged', { ...data, causes: [...data.causes] })).text;
    expect(text(fell)).toBe('mode, was NORMAL because redis is down (injected)');
    expect(text(rose)).toBe('mode, was MINIMAL because redis is up again');
  });

  it('tells of many letters as one, and marks a purge', () => {
    const task = {
      id: 'purge-1',
      kind: 'purge',
      queue: 'detection',
      faultId: null,
      signature: null,
      by: 'Ana',
      ratePerSecond: null,
      state: 'running',
      why: null,
      total: 12,
      done: 0,
      skipped: 0,
      failed: 0,
      cameBack: 0,
      startedAt: 0,
      endedAt: null,
    } as const;
    expect(sentence(makeFact('deadLetterTask', { task }))).toEqual({
      lead: 'Ana',
      text: 'purges 12 dead letters of detection',
      tone: 'degraded',
    });
  });

  it('names what is lost', () => {
    const data = { verdict: 'LOSS', lost: 1, lostIds: ['01J9'], doubled: 0 } as const;
    const line = sentence(makeFact('ledgerChanged', { ...data, lostIds: ['01J9'] }));
    expect(line).toMatchObject({ tone: 'loss', text: '1 lost: 01J9; 0 doubled' });
  });

  it('names an injector that did not acknowledge the end', () => {
    const receipt = {
      faultId: 'f1',
      service: 'nemotron' as const,
      type: 'timeout',
      reason: 'stopped' as const,
      injector: 'proxy' as const,
      acknowledged: false,
      acknowledgedInMs: 1_000,
      hits: 4,
      remaining: ['nemotron breaker'],
    };
    const line = sentence(
      makeFact('faultEnded', {
        faultId: 'f1',
        service: 'nemotron',
        faultType: 'connection_error',
        title: 'Connection refused',
        reason: 'stopped',
        hits: 4,
        by: 'Ana',
        receipt,
      }),
    );
    expect(line.text).toContain('connection refused ended (stopped) after 4 hits');
    expect(line.text).toContain('NOT ACKNOWLEDGED by proxy');
    expect(line.text).toContain('still recovering: nemotron breaker');
    expect(line.tone).toBe('open');
  });
});

describe('sinceFault', () => {
  it('counts from the newest fault for two minutes', () => {
    const facts = [
      makeFact('note', { by: 'Ana', text: 'before' }, 1, 0),
      makeFact('faultStarted', { fault }, 2, 1_000),
      makeFact('note', { by: 'Ana', text: 'soon' }, 3, 3_100),
      makeFact('note', { by: 'Ana', text: 'late' }, 4, 200_000),
    ];
    expect([...sinceFault(facts)]).toEqual([[3, 2_100]]);
  });

  it('leaves comings and goings their time of day', () => {
    const facts = [
      makeFact('faultStarted', { fault }, 1, 0),
      makeFact('operatorChanged', { tabId: 't', name: 'Ben', here: true }, 2, 500),
    ];
    expect(sinceFault(facts).size).toBe(0);
  });
});
