import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  beforeNextFrame,
  catchUp,
  inFrameAfter,
  inQuietFrame,
  isBusyFrame,
  watchPresses,
} from './next-frame.ts';

const frames = new Map<number, (frameMs: number) => void>();
let asked = 0;
const reported: unknown[] = [];
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('requestAnimationFrame', (callback: (frameMs: number) => void) => {
    frames.set(++asked, callback);
    return asked;
  });
  vi.stubGlobal('cancelAnimationFrame', (id: number) => frames.delete(id));
  vi.stubGlobal('reportError', (error: unknown) => reported.push(error));
});
afterEach(() => {
  catchUp();
  vi.unstubAllGlobals();
  vi.useRealTimers();
  frames.clear();
  reported.length = 0;
});

function draw(frameMs: number): void {
  const callbacks = [...frames.values()];
  frames.clear();
  for (const each of callbacks) each(frameMs);
}

describe('beforeNextFrame', () => {
  it('does all that came before a frame in that frame, in order, once', () => {
    const done: number[] = [];
    for (const n of [1, 2, 3]) beforeNextFrame(() => done.push(n));
    expect({ done, frames: frames.size }).toEqual({ done: [], frames: 1 });
    expect(isBusyFrame(16), 'about to be').toBe(true);
    draw(16);
    expect([16, 32, 48].map(isBusyFrame), 'the one after it as well').toEqual([true, true, false]);
    vi.advanceTimersByTime(1000);
    expect(done).toEqual([1, 2, 3]);
  });

  it('does not wait for a frame that does not come: the tab is hidden', () => {
    const done: number[] = [];
    beforeNextFrame(() => done.push(1));
    vi.advanceTimersByTime(100);
    expect(done).toEqual([1]);
    beforeNextFrame(() => done.push(2));
    expect(frames.size, 'asked for anew').toBe(1);
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

describe('inQuietFrame', () => {
  it('leaves the frame of packets alone, and the one after it', () => {
    vi.stubGlobal('document', { visibilityState: 'visible' });
    const done: string[] = [];
    inQuietFrame(() => done.push('clock'));
    beforeNextFrame(() => done.push('packet'));
    for (const frameMs of [1016, 1032]) draw(frameMs);
    expect(done).toEqual(['packet']);
    draw(1048);
    expect(done).toEqual(['packet', 'clock']);
  });

  it('waits for two frames at most', () => {
    vi.stubGlobal('document', { visibilityState: 'visible' });
    const done: string[] = [];
    inQuietFrame(() => done.push('clock'));
    for (const frameMs of [2016, 2032, 2048]) {
      beforeNextFrame(() => {});
      draw(frameMs);
    }
    expect(done).toEqual(['clock']);
  });

  it('does once what was asked for again before a frame came', () => {
    vi.stubGlobal('document', { visibilityState: 'visible' });
    const done: string[] = [];
    const clock = () => done.push('clock');
    for (let strike = 0; strike < 3; strike++) inQuietFrame(clock);
    expect(frames.size).toBe(1);
    draw(2516);
    expect(done).toEqual(['clock']);
  });

  it('does it at once in a hidden tab', () => {
    vi.stubGlobal('document', { visibilityState: 'hidden' });
    const done: string[] = [];
    inQuietFrame(() => done.push('clock'));
    expect({ done, frames: frames.size }).toEqual({ done: ['clock'], frames: 0 });
  });
});

describe('inFrameAfter', () => {
  it('leaves out the frame that is being drawn, and hidden tabs', () => {
    vi.stubGlobal('document', { visibilityState: 'visible' });
    const done: string[] = [];
    beforeNextFrame(() => {
      done.push('state');
      inFrameAfter(() => done.push('detail'));
    });
    draw(3016);
    expect(done).toEqual(['state']);
    expect(isBusyFrame(3066), 'in whose frame nothing else is drawn, however late it comes').toBe(true);
    draw(3066);
    expect(done).toEqual(['state', 'detail']);
    expect([3066, 3116].map(isBusyFrame)).toEqual([true, false]);
    vi.stubGlobal('document', { visibilityState: 'hidden' });
    inFrameAfter(() => done.push('hidden'));
    expect(done.at(-1)).toBe('hidden');
  });

  it('asks for one frame for all that is wanted in it, and does each thing once', () => {
    vi.stubGlobal('document', { visibilityState: 'visible' });
    const done: string[] = [];
    const detail = () => done.push('detail');
    for (let times = 0; times < 3; times++) inFrameAfter(detail);
    inFrameAfter(() => done.push('other'));
    expect(frames.size).toBe(1);
    draw(4016);
    expect(done).toEqual(['detail', 'other']);
  });
});

describe('watchPresses', () => {
  it('counts the frame that answers a press as busy, also one that had begun before it', () => {
    const target = new EventTarget();
    vi.stubGlobal('window', target);
    const end = watchPresses();
    for (const kind of ['click', 'keydown']) {
      vi.advanceTimersByTime(100);
      const pressedMs = performance.now();
      expect(isBusyFrame(pressedMs)).toBe(false);
      target.dispatchEvent(new Event(kind));
      expect([-10, 16, 48].map((afterMs) => isBusyFrame(pressedMs + afterMs))).toEqual([true, true, false]);
    }
    end();
    vi.advanceTimersByTime(100);
    target.dispatchEvent(new Event('keydown'));
    expect(isBusyFrame(performance.now()), 'not watched any more').toBe(false);
  });
});
