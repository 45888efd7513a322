import { describe, expect, it } from 'vitest';
import type { Fact, FactData, FactType } from '#lib/protocol/facts.ts';
import { propagation } from './propagation.ts';

function makeFact<T extends FactType>(at: number, type: T, data: FactData[T]): Fact {
  return { seq: at, at, type, subject: 'x', data } as Fact;
}
const fault = { id: 'f1', service: 'redis' as const, params: {}, startedAt: 1_000 };
const opened = (at: number, breaker: string) =>
  makeFact(at, 'breakerChanged', {
    breaker,
    from: 'CLOSED',
    to: 'OPEN',
    reason: 'failure_threshold',
    failures: 3,
    origin: 'injected',
  });

describe('propagation', () => {
  it('counts from the start of the fault to its first consequences', () => {
    const cause = { service: 'redis' as const, origin: 'injected' as const, text: '' };
    const facts = [
      opened(500, 'redis'), // before it
      opened(2_000, 'nemotron'), // of another service
      makeFact(2_500, 'serviceChanged', {
        service: 'redis',
        healthy: false,
        error: null,
        origin: 'injected',
      }),
      makeFact(3_100, 'modeChanged', { from: 'NORMAL', to: 'MINIMAL', causes: [cause] }),
      opened(4_000, 'redis'),
      opened(9_000, 'redis'),
      makeFact(9_500, 'deadLettered', {
        id: 'd',
        queue: 'detection',
        error: '',
        uploadId: null,
        faultIds: ['f1'],
      }),
    ];
    expect(propagation(facts, fault)).toEqual({
      serviceDownMs: 1_500,
      breakerOpenMs: 3_000,
      modeChangeMs: 2_100,
      deadLetters: 1,
    });
  });

  it('says nothing of what has not happened', () => {
    expect(propagation([opened(2_000, 'nemotron')], fault)).toEqual({
      serviceDownMs: null,
      breakerOpenMs: null,
      modeChangeMs: null,
      deadLetters: 0,
    });
  });
});
