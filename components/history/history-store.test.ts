import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { METRICS } from '#lib/protocol/metrics.ts';
import type { TimelineWindow } from '#lib/protocol/timeline.ts';
import { buffers } from '../live/series-buffers.ts';
import { useFacts } from '../stores/facts-store.ts';
import { useView } from '../stores/view-store.ts';
import { ensureHistory, fillLive, joinLive, liveCovers, pastCovering, useHistory } from './history-store.ts';

const MINUTE = 60_000;
const METRIC = METRICS.uploadsPerSecond;

/** What the control process was asked, and its answers: the network is the edge of the page. */
let asked: URL[];
let refuse: boolean;
/** How old the answers are when they come, ms. */
let ageMs: number;
beforeEach(() => {
  asked = [];
  refuse = false;
  ageMs = 0;
  useHistory.setState({ phase: 'idle', error: null, liveFrom: null, liveStanding: null, past: null });
  useView.setState({ windowMs: 5 * MINUTE, frozenAt: null });
  vi.stubGlobal('fetch', async (path: string) => {
    const url = new URL(path, 'http://console');
    asked.push(url);
    if (refuse) return new Response('{}', { status: 503 });
    const now = Date.now() - ageMs;
    const fromMs = Number(url.searchParams.get('fromMs') ?? now - 15 * MINUTE);
    const toMs = Number(url.searchParams.get('toMs') ?? now);
    return Response.json(
      url.pathname.endsWith('/series')
        ? series(fromMs, toMs, Number(url.searchParams.get('stepMs')))
        : window(url, fromMs, toMs),
    );
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function series(fromMs: number, toMs: number, stepMs: number) {
  const values = new Array<number>(Math.ceil((toMs - fromMs) / stepMs)).fill(7);
  return {
    series: [{ name: METRIC, unit: '1/s', startAt: Math.floor(fromMs / stepMs) * stepMs, stepMs, values }],
  };
}

/** Two facts on two pages. */
function window(url: URL, fromMs: number, toMs: number): TimelineWindow {
  const seq = Number(url.searchParams.get('after')) === 0 ? 1 : 2;
  const fact = { seq, at: fromMs + seq, type: 'note', subject: 'x', data: { by: 'x', text: '' } } as const;
  const standing = { mode: 'NORMAL', breakers: [], faults: [], halted: false } as const;
  return {
    fromMs,
    toMs,
    facts: [fact],
    standing: { ...standing, breakers: [], faults: [] },
    seq: 2,
    gap: false,
    more: seq === 1,
  };
}

const idle = () => vi.waitFor(() => expect(useHistory.getState().phase).toBe('idle'));
const given = (name: string) => asked.map((url) => url.searchParams.get(name));

describe('the history of a page', () => {
  it('is the last 15 minutes on opening, asked for by the clock of the server, every page of the facts', async () => {
    const now = Date.now();
    await fillLive();
    expect(asked.map((url) => url.pathname)).toEqual([
      '/api/v1/series', // in two parts: one answer has at most 50 series
      '/api/v1/series',
      '/api/v1/timeline/window',
      '/api/v1/timeline/window',
    ]);
    expect(asked.slice(0, 3).map((url) => url.searchParams.has('fromMs'))).toEqual([false, false, false]);
    expect(useFacts.getState().facts.map((fact) => fact.seq)).toEqual([1, 2]);
    expect(buffers.at(METRIC, now - 14 * MINUTE)).toBe(7);
    expect(buffers.at(METRIC, now - 16 * MINUTE)).toBeNaN();
    expect([liveCovers(now - 14 * MINUTE), liveCovers(now - 20 * MINUTE)]).toEqual([true, false]);
    asked = [];
    ensureHistory();
    expect(asked).toEqual([]);
  });

  it('is asked for again when samples come live only long after its end, and not when they join it', async () => {
    await fillLive();
    asked = [];
    joinLive(Date.now() + 1_500);
    expect(asked).toEqual([]);
    ageMs = -30_000; // the server was away for so long between the answer and the first sample
    joinLive(Date.now() + 30_000);
    await idle();
    expect(given('after').filter(Boolean)).toEqual(['0', '1']);
    expect(buffers.at(METRIC, Date.now() + 20_000)).toBe(7);
    asked = [];
    ensureHistory();
    expect(asked).toEqual([]);
  });

  it('is asked for again when samples come live while an answer is on its way that ends before them', async () => {
    ageMs = -60_000;
    const early = fillLive();
    joinLive(Date.now() + 90_000);
    await early;
    asked = [];
    ageMs = -90_000;
    ensureHistory();
    await idle();
    expect(buffers.at(METRIC, Date.now() + 80_000)).toBe(7);
  });

  it('grows to the hour when the axis does', async () => {
    await fillLive();
    asked = [];
    useView.setState({ windowMs: 60 * MINUTE });
    ensureHistory();
    await idle();
    expect(given('stepMs')[0]).toBe('8000');
    expect(buffers.at(METRIC, Date.now() - 50 * MINUTE)).toBe(7);
    expect(liveCovers(Date.now() - 59 * MINUTE)).toBe(true);
  });

  it('is fetched for a window beyond the hour with a window more on either side', async () => {
    await fillLive();
    asked = [];
    const toAt = Date.now() - 180 * MINUTE;
    useView.setState({ windowMs: 5 * MINUTE, frozenAt: toAt });
    ensureHistory();
    await idle();
    expect(Number(given('fromMs')[0])).toBe(toAt - 10 * MINUTE);
    expect(Number(given('toMs')[0])).toBe(toAt + 5 * MINUTE);
    expect(pastCovering(toAt - 5 * MINUTE, toAt)?.ring.at(METRIC, toAt - MINUTE)).toBe(7);
    asked = [];
    useView.setState({ frozenAt: toAt - 3 * MINUTE });
    ensureHistory();
    expect(asked).toEqual([]);
  });

  it('tells of a failure and tries again after a while', async () => {
    refuse = true;
    await fillLive();
    expect(useHistory.getState()).toMatchObject({
      phase: 'failed',
      error: 'The control process answered 503',
    });
    refuse = false;
    asked = [];
    ensureHistory();
    expect(asked).toEqual([]);
    const nowMs = performance.now();
    vi.spyOn(performance, 'now').mockReturnValue(nowMs + 4_000);
    ensureHistory();
    await idle();
    expect(useHistory.getState().liveFrom).not.toBeNull();
  });
});
