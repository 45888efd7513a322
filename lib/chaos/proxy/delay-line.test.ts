import { describe, expect, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { DelayLine } from './delay-line.ts';

function makeLine() {
  const clock = new ManualClock();
  const line = new DelayLine(clock);
  const ran: string[] = [];
  const push = (name: string, delayMs: number) => line.push(delayMs, 10, () => ran.push(name));
  return { clock, line, ran, push };
}

describe('DelayLine', () => {
  it('runs each item its own delay after it came', () => {
    const { clock, line, ran, push } = makeLine();
    push('a', 100);
    clock.advance(60);
    push('b', 100);
    expect(line.sizeBytes).toBe(20);
    clock.advance(40);
    expect(ran).toEqual(['a']);
    clock.advance(60);
    expect(ran).toEqual(['a', 'b']);
    expect(line.idle).toBe(true);
    expect(line.sizeBytes).toBe(0);
  });

  it('lets no item overtake an earlier one', () => {
    const { clock, ran, push } = makeLine();
    push('slow', 100);
    push('fast', 0);
    clock.advance(99);
    expect(ran).toEqual([]);
    clock.advance(1);
    expect(ran).toEqual(['slow', 'fast']);
  });

  it('keeps order when an item adds to the line, and when it is flushed', () => {
    const { clock, line, ran, push } = makeLine();
    line.push(50, 0, () => {
      ran.push('first');
      push('added', 0);
    });
    push('second', 50);
    line.flush();
    expect(ran).toEqual(['first', 'second', 'added']);
    clock.advance(1000);
    expect(ran).toHaveLength(3);
  });

  it('forgets what is cleared, even from inside', () => {
    const { clock, line, ran, push } = makeLine();
    line.push(10, 0, () => line.clear());
    push('never', 10);
    clock.advance(100);
    expect(ran).toEqual([]);
    push('later', 5);
    clock.advance(5);
    expect(ran).toEqual(['later']);
  });
});
