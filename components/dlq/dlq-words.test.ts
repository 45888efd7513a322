import { describe, expect, it } from 'vitest';
import type { LetterTask } from '#lib/protocol/dead-letters.ts';
import type { Fact } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import { faultName, originOf, taskProgress, taskSentence, taskTitle } from './dlq-words.ts';

const task: LetterTask = {
  id: 'redrive-1',
  kind: 'redrive',
  queue: 'detection',
  faultId: null,
  signature: null,
  by: 'Ana',
  ratePerSecond: 10,
  state: 'running',
  why: null,
  total: 312,
  done: 0,
  skipped: 0,
  failed: 0,
  cameBack: 0,
  startedAt: 0,
  endedAt: null,
};

describe('faultName', () => {
  const fault = { id: '01JABCDEF', service: 'yolo26', title: 'Server error' } as Fault;
  it('is that of the fault, in force or told of; else the end of its id', () => {
    const told = { type: 'faultStarted', data: { fault: { ...fault, id: 'x2', title: 'Latency' } } } as Fact;
    expect(faultName('01JABCDEF', [fault], [])).toBe('yolo26 server error');
    expect(faultName('x2', [fault], [told])).toBe('yolo26 latency');
    expect(faultName('01JZZZZZZZ123456', [fault], [told])).toBe('fault …123456');
  });
});

describe('originOf', () => {
  it('tells ours, not ours, and some of both apart', () => {
    expect([0, 3, 5].map((injected) => originOf({ injected, count: 5 }))).toEqual([
      'organic',
      'mixed',
      'injected',
    ]);
  });
});

describe('a task in words', () => {
  it('says what is done, how far it is, and what became of it', () => {
    expect(taskTitle({ ...task, signature: 'E' })).toBe(
      're-drive of detection (one group) by Ana, 10 a second',
    );
    expect(taskSentence(task)).toBe('re-drives 312 dead letters of detection, 10 a second');
    const over = {
      ...task,
      state: 'cancelled',
      why: 'cancelled by Bo',
      done: 120,
      skipped: 3,
      cameBack: 2,
      endedAt: 9,
    } as const;
    expect(taskProgress(over)).toBe('120 of 312 given back, 3 gone already, 2 came back');
    expect(taskSentence(over)).toBe(
      're-drive of detection ended, cancelled by Bo: 120 of 312 given back, 3 gone already, 2 came back',
    );
    const purge = {
      ...task,
      kind: 'purge',
      ratePerSecond: null,
      state: 'done',
      done: 312,
      endedAt: 9,
    } as const;
    expect(taskSentence(purge)).toBe('purge of detection done: 312 of 312 purged');
  });
});
