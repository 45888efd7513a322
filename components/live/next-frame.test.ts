import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { beforeNextFrame, catchUp, isBusyFrame } from './next-frame.ts';

let frames: ((frameMs: number) => void)[] = [];
const reported: unknown[] = [];
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('requestAnimationFrame', (callback: (frameMs: number) => void) => frames.push(callback));
  vi.stubGlobal('cancelAnimationFrame', () => {
    frames = [];
  });
  vi.stubGlobal('reportError', (error: unknown) => reported.push(error));
});
afterEach(() => {
  catchUp();
  vi.unstubAllGlobals();
  vi.useRealTimers();
  frames = [];
  reported.length = 0;
});

describe('beforeNextFrame', () => {
  it('does all that came before a frame in that frame, in order, once', () => {
    const done: number[] = [];
    for (const n of [1, 2, 3]) beforeNextFrame(() => done.push(n));
    expect({ done, frames: frames.length }).toEqual({ done: [], frames: 1 });
    expect(isBusyFrame(16), 'about to be').toBe(true);
    frames[0]?.(16);
    expect([isBusyFrame(16), isBusyFrame(32)]).toEqual([true, false]);
    vi.advanceTimersByTime(1000);
    expect(done).toEqual([1, 2, 3]);
  });

  it('does not wait for a frame that does not come: the tab is hidden', () => {
    const done: number[] = [];
    beforeNextFrame(() => done.push(1));
    vi.advanceTimersByTime(100);
    expect(done).toEqual([1]);
    beforeNextFrame(() => done.push(2));
    expect(frames, 'asked for anew').toHaveLength(1);
  });

  it('does at once what waits when something else has to come after it', () => {
    const done: number[] = [];
    beforeNextFrame(() => done.push(1));
    catchUp();
    expect(done).toEqual([1]);
  });

  it('tells what fails, and does the rest', () => {
    const done: number[] = [];
    const broken = new Error('broken');
    beforeNextFrame(() => {
      throw broken;
    });
    beforeNextFrame(() => done.push(2));
    catchUp();
    expect({ done, reported }).toEqual({ done: [2], reported: [broken] });
  });
});
