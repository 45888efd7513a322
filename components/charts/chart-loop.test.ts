import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { beforeNextFrame } from '../live/next-frame.ts';
import { joinChartLoop, redrawCharts } from './chart-loop.ts';

const FRAME_MS = 16;
let leave: (() => void)[] = [];
/** Names of the charts that each frame has drawn. */
let frames: string[][] = [];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  let wanted = new Map<number, (frameMs: number) => void>();
  let count = 0;
  vi.stubGlobal('requestAnimationFrame', (callback: (frameMs: number) => void) => {
    if (wanted.size === 0)
      setTimeout(() => {
        const callbacks = [...wanted.values()];
        wanted = new Map();
        frames.push([]);
        for (const callback of callbacks) callback(performance.now());
      }, FRAME_MS);
    wanted.set(++count, callback);
    return count;
  });
  vi.stubGlobal('cancelAnimationFrame', (id: number) => wanted.delete(id));
});
afterEach(() => {
  for (const each of leave) each();
  leave = [];
  frames = [];
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function join(names: string, visible = () => true): void {
  for (const name of names)
    leave.push(
      joinChartLoop({ visible, periodMs: () => 1000, commit: () => void frames.at(-1)?.push(name) }),
    );
}

const drawn = () => frames.filter((names) => names.length > 0).map((names) => names.join(''));

describe('the loop of the charts', () => {
  it('draws new charts four in a frame, then each by itself once a period', () => {
    join('abcdef');
    vi.advanceTimersByTime(100);
    expect(drawn()).toEqual(['abcd', 'ef']);
    vi.advanceTimersByTime(1100);
    expect(drawn().slice(2)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  it('draws all of them anew when what they show has changed', () => {
    join('abc');
    vi.advanceTimersByTime(500);
    redrawCharts();
    vi.advanceTimersByTime(100);
    expect(drawn()).toEqual(['abc', 'abc']);
  });

  it('leaves a frame alone that has drawn packets, and the one after it', () => {
    join('a');
    vi.advanceTimersByTime(1000);
    frames = [];
    beforeNextFrame(() => frames.at(-1)?.push('packet'));
    vi.advanceTimersByTime(4 * FRAME_MS);
    expect(frames).toEqual([['packet'], [], ['a']]);
  });

  it('draws although every frame has packets', () => {
    join('ab');
    vi.advanceTimersByTime(1000);
    frames = [];
    let more = true;
    const packet = () => {
      frames.at(-1)?.push('packet');
      if (more) setTimeout(() => beforeNextFrame(packet), 0);
    };
    beforeNextFrame(packet);
    vi.advanceTimersByTime(10 * FRAME_MS);
    more = false;
    vi.advanceTimersByTime(10 * FRAME_MS);
    expect(frames.flat().filter((name) => name !== 'packet')).toEqual(['a', 'b']);
    const both = frames.filter((names) => names.includes('packet') && names.length > 1);
    expect(both.length, 'each after it has yielded twice').toBeGreaterThan(0);
  });

  it('asks for no frame while nothing is due, or to be seen', () => {
    let isVisible = true;
    join('a', () => isVisible);
    vi.advanceTimersByTime(900);
    expect(frames).toEqual([['a']]);
    isVisible = false;
    vi.advanceTimersByTime(5000);
    expect(frames).toEqual([['a']]);
    isVisible = true;
    vi.advanceTimersByTime(200);
    expect(frames).toEqual([['a'], ['a']]);
  });
});
