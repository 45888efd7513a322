import { expect, it } from 'vitest';
import type { Fact } from '#lib/protocol/facts.ts';
import { factSpans } from './fact-spans.ts';

const change = (seq: number, breaker: string): Fact => ({
  seq,
  at: seq * 10,
  type: 'breakerChanged',
  subject: breaker,
  data: { breaker, from: 'CLOSED', to: 'OPEN', reason: 'threshold', failures: 3, origin: null },
});

it('goes through the same facts once, and through others anew', () => {
  const facts = [change(1, 'redis'), change(2, 'yolo26')];
  const spans = factSpans(facts);
  expect([...spans.breakers.keys()]).toEqual(['redis', 'yolo26']);
  expect(factSpans(facts)).toBe(spans);
  const more = [...facts, change(3, 'redis')];
  expect(
    factSpans(more)
      .breakers.get('redis')
      ?.map(({ at }) => at),
  ).toEqual([10, 30]);
});
