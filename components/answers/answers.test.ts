import { describe, expect, it } from 'vitest';
import type { Fault } from '#lib/protocol/faults.ts';
import type { BreakerStatus, LedgerStatus, PipelineReport, QueueStatus, State } from '#lib/protocol/state.ts';
import {
  brokenAnswer,
  byGravity,
  currentReport,
  lossAnswer,
  notOursAnswer,
  recoveryAnswer,
} from './answers.ts';

const LEDGER = {
  accepted: 1204,
  stored: 1163,
  queued: 41,
  parked: 0,
  inFlight: 0,
  inbox: 0,
  dlq: 0,
  dropped: 0,
  lost: 0,
  doubled: 0,
  owed: 0,
  verdict: 'MOVING',
  unreadable: [],
} as unknown as LedgerStatus;

function makeQueue(parts: Partial<QueueStatus> = {}): QueueStatus {
  return {
    name: 'detection',
    depth: 0,
    inFlight: 0,
    parked: 0,
    oldestAgeMs: null,
    inPerSecond: 2,
    outPerSecond: 2,
    tier: 'redis',
    tiers: { memory: 0, memoryMax: 1, disk: 0, diskMax: 1 },
    dropped: 0,
    paused: false,
    ...parts,
  };
}

function makePipeline(parts: Partial<PipelineReport> = {}): PipelineReport {
  return {
    mode: { mode: 'NORMAL', since: 0, previous: null, causes: [], features: [] },
    services: [],
    breakers: [],
    queues: [makeQueue()],
    dependencies: [],
    ledger: LEDGER,
    ...parts,
  } as unknown as PipelineReport;
}

function makeState(parts: Partial<State> = {}): State {
  return {
    mode: 'NORMAL',
    modeCause: [],
    pipeline: { ...makePipeline(), ageMs: 0 },
    supervisor: { processes: [], ageMs: 0 },
    agents: [],
    ...parts,
  } as unknown as State;
}

const breaker = (state: BreakerStatus['state'], parts: Partial<BreakerStatus> = {}) =>
  ({
    name: 'redis',
    state,
    retryAfterMs: 12_000,
    successes: 1,
    successThreshold: 2,
    ...parts,
  }) as BreakerStatus;

describe('brokenAnswer', () => {
  it('names each fault with its owner and the time left, the first to end first', () => {
    const fault = (service: string, name: string, deadlineMs: number) =>
      ({ service, title: 'Timeout', owner: { name, kind: 'browser' }, deadlineMs }) as Fault & {
        deadlineMs: number;
      };
    const { status, headline, lines } = brokenAnswer(
      [fault('redis', 'Ana', 60_000), fault('gpu', 'Bo', 42_000)],
      0,
    );
    expect([status, headline]).toEqual(['injected', '2 faults']);
    expect(lines).toEqual(['gpu timeout · Bo · 0:42 left', 'redis timeout · Ana · 1:00 left']);
    expect(brokenAnswer([], 0)).toMatchObject({ status: 'normal', headline: 'Nothing' });
    expect(brokenAnswer(null, 0).status).toBe('unknown');
  });
});

describe('notOursAnswer', () => {
  it('names causes, unhealthy services and failures that are not injected, each once', () => {
    const state = makeState({
      modeCause: [
        { service: 'nemotron', origin: 'organic', text: 'no answer' },
        { service: 'redis', origin: 'injected', text: 'timeout' },
      ],
      pipeline: {
        ...makePipeline({
          services: [
            { name: 'nemotron', healthy: false, origin: 'organic', error: 'no answer' },
            { name: 'redis', healthy: false, origin: 'injected', error: 'timeout' },
          ] as PipelineReport['services'],
          dependencies: [{ name: 'ftp', organic: 3 }] as PipelineReport['dependencies'],
        }),
        ageMs: 0,
      },
    });
    const { status, lines } = notOursAnswer(state, []);
    expect(status).toBe('open');
    expect(lines).toEqual(['nemotron: no answer', 'ftp: 3 failed calls in 10 s']);
  });

  it('tells of a process that is down, but not of one that a fault of ours holds', () => {
    const processes = [
      { name: 'cameras', state: 'down' },
      { name: 'inference', state: 'held' },
    ];
    const agents = [
      { name: 'inference', connected: false },
      { name: 'cameras', connected: false },
      { name: 'proxy', connected: false },
    ];
    const state = makeState({
      supervisor: { processes, ageMs: 0 } as unknown as State['supervisor'],
      agents: agents as State['agents'],
    });
    expect(notOursAnswer(state, []).lines).toEqual(['process cameras is DOWN', 'proxy does not report']);
  });

  it('tells of a process that is there and hangs, and not of a moment of silence', () => {
    const agent = (name: string, lastSeenMs: number) => ({ name, connected: true, lastSeenMs });
    const agents = [agent('pipeline', 14_000), agent('cameras', 1_500)] as State['agents'];
    const silent = makeState({ agents, mode: null });
    expect(notOursAnswer(silent, []).lines).toEqual(['pipeline does not report']);
    const paused = { processes: [{ name: 'pipeline', state: 'paused' }], ageMs: 0 };
    expect(notOursAnswer({ ...silent, supervisor: paused as State['supervisor'] }, []).status).toBe(
      'unknown',
    );
  });

  it('does not call silence well', () => {
    expect(notOursAnswer(null, []).status).toBe('unknown');
    expect(notOursAnswer(makeState({ pipeline: null }), []).status).toBe('unknown');
    expect(notOursAnswer(makeState(), []).status).toBe('normal');
  });
});

describe('lossAnswer', () => {
  it('says a loss with its number before everything else', () => {
    expect(lossAnswer({ ...LEDGER, lost: 3, verdict: 'LOSS' })).toMatchObject({
      status: 'loss',
      headline: '3 LOST',
    });
    expect(lossAnswer({ ...LEDGER, doubled: 2 }).headline).toBe('0 LOST · 2 DOUBLED');
  });

  it('does not say zero when it cannot be known', () => {
    const answer = lossAnswer({ ...LEDGER, verdict: 'UNKNOWN', unreadable: ['database'] });
    expect(answer).toMatchObject({ status: 'unknown', headline: 'UNKNOWN' });
    expect(answer.lines[0]).toBe('cannot read database');
    expect(lossAnswer(null).status).toBe('unknown');
  });

  it('marks dead letters, which are not lost', () => {
    expect(lossAnswer({ ...LEDGER, dlq: 5 })).toMatchObject({ status: 'degraded', headline: '0 lost' });
    expect(lossAnswer(LEDGER)).toMatchObject({ status: 'normal', headline: '0 lost' });
  });
});

describe('recoveryAnswer', () => {
  it('estimates when a queue that drains is empty', () => {
    const queue = makeQueue({ depth: 120, oldestAgeMs: 42_000, inPerSecond: 2, outPerSecond: 4 });
    const { status, headline, lines } = recoveryAnswer(makePipeline({ queues: [queue] }), 0);
    expect([status, headline]).toEqual(['half', 'RECOVERING']);
    expect(lines).toEqual(['detection: 120 wait, oldest 42 s, empty in about 1 min']);
  });

  it('is not recovering while a queue grows or a breaker is open', () => {
    const growing = makeQueue({ depth: 9, parked: 4, outPerSecond: 0.5, tier: 'memory' });
    const answer = recoveryAnswer(makePipeline({ queues: [growing] }), 0);
    expect(answer).toMatchObject({ status: 'open', headline: 'NOT YET' });
    expect(answer.lines).toEqual(['detection: 9 wait in memory, growing by 1.5/s']);
    const open = recoveryAnswer(makePipeline({ breakers: [breaker('OPEN')] }), 0);
    expect(open).toMatchObject({ status: 'open', lines: ['redis breaker OPEN, trial in 12 s'] });
    const trial = recoveryAnswer(makePipeline({ breakers: [breaker('HALF_OPEN')] }), 0);
    expect(trial).toMatchObject({
      status: 'half',
      headline: 'ON TRIAL',
      lines: ['redis breaker HALF-OPEN, trial 1/2'],
    });
  });

  it('says recovered for ten seconds, then nothing to recover', () => {
    const pipeline = makePipeline({
      mode: { mode: 'NORMAL', since: 50_000, previous: 'DEGRADED', causes: [], features: [] },
    });
    expect(recoveryAnswer(pipeline, 55_000).status).toBe('recovered');
    expect(recoveryAnswer(pipeline, 61_000).status).toBe('normal');
    expect(recoveryAnswer(null, 0).status).toBe('unknown');
  });
});

describe('byGravity', () => {
  it('puts the gravest first', () => {
    const answers = [
      brokenAnswer([], 0),
      recoveryAnswer(makePipeline(), 0),
      lossAnswer({ ...LEDGER, lost: 1 }),
      notOursAnswer(makeState({ modeCause: [{ service: 'redis', origin: 'organic', text: 'x' }] }), []),
    ];
    expect(byGravity(answers).map(({ id }) => id)).toEqual(['loss', 'not-ours', 'broken', 'recovery']);
  });
});

describe('currentReport', () => {
  it('is null once the mode is unknown, whatever was reported last', () => {
    expect(currentReport(makeState())).not.toBeNull();
    expect(currentReport(makeState({ mode: null }))).toBeNull();
    expect(currentReport(null)).toBeNull();
  });
});
