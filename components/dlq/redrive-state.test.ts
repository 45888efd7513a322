import { describe, expect, it } from 'vitest';
import type { LetterTask } from '#lib/protocol/dead-letters.ts';
import { parseRate, redriveState } from './redrive-state.ts';

const running = { queue: 'detection', kind: 'redrive', by: 'Ana', endedAt: null } as LetterTask;
const free = { blocked: {}, tasks: [] };
const down = { blocked: { detection: 'the yolo26 breaker is OPEN, a trial in 18 s' }, tasks: [] };

describe('redriveState', () => {
  it('lets letters be given back while nothing hinders it', () => {
    const ended = { ...running, endedAt: 5 };
    for (const status of [free, { ...free, tasks: [ended] }]) {
      expect(redriveState({ queues: ['detection'], redrivable: 3, status })).toEqual({
        disabled: null,
        note: null,
      });
    }
  });

  it('says why not, whatever the reason', () => {
    const disabled = (status: Parameters<typeof redriveState>[0]['status'], redrivable: number | null = 3) =>
      redriveState({ queues: ['detection'], redrivable, status }).disabled;
    expect(disabled(down)).toBe('The yolo26 breaker is OPEN, a trial in 18 s');
    expect(disabled({ ...free, tasks: [running] })).toBe('A re-drive by Ana is on');
    expect(disabled(free, 0)).toBe('Never accepted: only the camera can send it again');
    expect(disabled(null)).toBe('No fresh report from the pipeline');
    expect(redriveState({ queues: [], redrivable: null, status: free }).disabled).toBe('No dead letter');
  });

  it('names what is left out when the rest can be given back', () => {
    expect(redriveState({ queues: ['detection', 'analysis'], redrivable: null, status: down })).toEqual({
      disabled: null,
      note: 'detection is left out: the yolo26 breaker is OPEN, a trial in 18 s',
    });
  });
});

describe('parseRate', () => {
  it('takes what the server takes, and nothing else', () => {
    expect(['10', ' 0,5 ', '1000', '0.1'].map(parseRate)).toEqual([10, 0.5, 1000, 0.1]);
    expect(['', ' ', '0', '-1', '1001', 'ten', '1e9'].map(parseRate)).toEqual(Array(7).fill(null));
  });
});
