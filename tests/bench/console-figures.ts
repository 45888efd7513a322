import type { ColdLoad } from './console-load.ts';
import type { ReconnectTimes } from './console-loss.ts';
import type { StreamWindow } from './console-stream.ts';
import { atMost, type BenchRatio, type BenchReport, percentile, Samples, shown } from './measure.ts';

export interface ConsoleSize {
  loads: number;
  warmMs: number;
  streams: { rounds: number; consoleMs: number; floorMs: number };
  traceMs: number;
  /** Rounds of what an operator does. */
  inputs: number;
  stales: number;
  cutsMs: readonly number[];
  hiddenMs: number;
}

type Page = 'console' | 'bare uPlot';
const TEN_MINUTES_MS = 600_000;

/** What was measured of the console, beside its budgets. */
export class ConsoleFigures {
  readonly #size: ConsoleSize;
  readonly #samples = new Samples();
  readonly #ratios: BenchRatio[] = [];
  readonly #found: string[] = [];
  readonly #streams: Record<Page, StreamWindow[]> = { console: [], 'bare uPlot': [] };

  constructor(size: ConsoleSize) {
    this.#size = size;
  }

  loads(wide: readonly ColdLoad[], phone: ColdLoad): void {
    for (const load of wide) {
      this.#samples.add('largest contentful paint', 'ms', load.largestPaintMs);
      this.#samples.add('navigation → history answered', 'ms', load.historyMs);
      this.#samples.add('navigation → history drawn', 'ms', load.drawnMs);
    }
    const worst = (of: (load: ColdLoad) => number) => Math.max(...wide.map(of));
    this.#ratios.push(
      atMost(
        'JavaScript of the shell (a phone until it is live), kB transferred',
        phone.scriptBytes / 1000,
        200,
      ),
      shown('JavaScript that the phone fetches at rest, kB transferred', phone.laterScriptBytes / 1000),
      atMost(
        'JavaScript with charts, kB transferred',
        worst((load) => load.scriptBytes + load.laterScriptBytes) / 1000,
        300,
      ),
      atMost('CSS, kB transferred', worst(({ styleBytes }) => styleBytes) / 1000, 20),
      atMost(
        'largest contentful paint, worst, ms',
        worst(({ largestPaintMs }) => largestPaintMs),
        1500,
      ),
      atMost(
        'layout shift, worst',
        worst(({ shiftScore }) => shiftScore),
        0.05,
      ),
      atMost('layout shift on a phone', phone.shiftScore, 0.05),
      atMost(
        'history answered after the navigation began, worst, ms',
        worst(({ historyMs }) => historyMs),
        1000,
      ),
      shown(
        'history drawn after the navigation began, worst, ms',
        worst(({ drawnMs }) => drawnMs),
      ),
    );
  }

  stream(page: Page, window: StreamWindow): void {
    this.#streams[page].push(window);
    this.#samples.add(`${page}: main thread`, '%', window.busyRatio * 100);
    this.#samples.add(`${page}: scripts`, '%', window.scriptRatio * 100);
    this.#samples.add(`${page}: styles and layout`, '%', window.layoutRatio * 100);
    this.#samples.add(`${page}: longest frame`, 'ms', window.worstFrameMs);
  }

  heap(grownBytes: number): void {
    this.#ratios.push(atMost('heap grown over the hour, MB', grownBytes / 1e6, 10));
  }

  trace(words: string): void {
    this.#found.push(words);
  }

  inputs(durationsMs: readonly number[]): void {
    for (const ms of durationsMs) this.#samples.add('interaction → next paint', 'ms', ms);
    this.#ratios.push(
      atMost('interaction → next paint, p75 ms', percentile(durationsMs, 0.75), 100),
      atMost('interaction → next paint, p99 ms', percentile(durationsMs, 0.99), 200),
    );
  }

  stale(times: readonly number[]): void {
    for (const ms of times) this.#samples.add('stream stops → STALE', 'ms', ms);
    this.#ratios.push(atMost('stream stops → STALE, worst, ms', Math.max(...times), 2000));
  }

  reconnects({ sinceNetwork, sinceSnapshot }: ReconnectTimes): void {
    for (const ms of sinceNetwork) this.#samples.add('network carries again → right picture', 'ms', ms);
    for (const ms of sinceSnapshot) this.#samples.add('snapshot → right picture', 'ms', ms);
    const name = 'network carries again → right picture, no fact missing, p95 ms';
    this.#ratios.push(atMost(name, percentile(sinceNetwork, 0.95), 1000));
  }

  restart(ms: number): void {
    this.#ratios.push(atMost('control process answers again → right picture, ms', ms, 1000));
  }

  back(ms: number): void {
    const hidden = `${Math.round(this.#size.hiddenMs / 1000)} s`;
    this.#ratios.push(atMost(`back after ${hidden} in the background → usable, ms`, ms, 500));
  }

  report(): BenchReport {
    return {
      part: 'console',
      what: 'the built console in headless Chromium, 1440 × 900, beside the system with a pipeline at 2 frames/s, by a probe in the page and the DevTools protocol',
      measurements: this.#samples.summaries(),
      ratios: [...this.#streamRatios(), ...this.#ratios],
      rivals: {
        'bare uPlot':
          'The same series from the same sockets and the same history in eight uPlot charts of the same size, each drawn anew once a second, in a page with nothing else.',
      },
      found: [
        ...this.#found,
        'The history is that of the recorder’s files, 15 minutes of every charted series and 300 facts; the hub’s memory answers sooner.',
      ],
    };
  }

  #streamRatios(): BenchRatio[] {
    const of = (page: Page) => {
      const windows = this.#streams[page];
      const sum = (key: 'slowFrames' | 'longTasks' | 'forMs') =>
        windows.reduce((all, each) => all + each[key], 0);
      return {
        slow: (sum('slowFrames') / sum('forMs')) * TEN_MINUTES_MS,
        longTasks: sum('longTasks'),
        busy: Math.max(...windows.map(({ busyRatio }) => busyRatio)) * 100,
      };
    };
    const [ours, floor] = [of('console'), of('bare uPlot')];
    return [
      atMost('frames over 25 ms in 10 min', ours.slow, 10),
      shown('frames over 25 ms in 10 min, bare uPlot', floor.slow),
      atMost('tasks over 50 ms', ours.longTasks, 0),
      shown('tasks over 50 ms, bare uPlot', floor.longTasks),
      atMost('main thread, worst window, %', ours.busy, 30),
      shown('main thread, worst window, %, bare uPlot', floor.busy),
    ];
  }
}
