import { beforeEach, describe, expect, it } from 'vitest';
import type { Fact } from '#lib/protocol/facts.ts';
import type { Fault } from '#lib/protocol/faults.ts';
import type { State } from '#lib/protocol/state.ts';
import { buffers } from '../live/series-buffers.ts';
import { SeriesRing } from '../live/series-ring.ts';
import { useFacts } from '../stores/facts-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { useView } from '../stores/view-store.ts';
import { type PastWindow, useHistory } from './history-store.ts';
import { pictureSource } from './picture-source.ts';

const MINUTE = 60_000;
const note = (seq: number): Fact => ({
  seq,
  at: seq,
  type: 'note',
  subject: 'x',
  data: { by: 'x', text: '' },
});

let now: number;
beforeEach(() => {
  now = Date.now();
  useSystem.setState({ state: { mode: 'DEGRADED', pipeline: null } as State, serverOffsetMs: 0 });
  useFacts.setState({ facts: [note(1)], lastSeq: 1 });
  useHistory.setState({ liveFrom: now - 15 * MINUTE, past: null });
});

function lookAt(endedAgoMs: number, windowMs: number) {
  const frozenAt = endedAgoMs === 0 ? null : now - endedAgoMs;
  useView.setState({ frozenAt, windowMs });
  const toAt = frozenAt ?? now;
  return pictureSource(toAt - windowMs, toAt);
}

function makePast(fromAt: number, toAt: number): PastWindow {
  return {
    fromAt,
    toAt,
    ring: new SeriesRing({ stepMs: 1_000, capacity: 10 }),
    facts: [note(7)],
    standing: {
      mode: 'MINIMAL',
      breakers: [{ name: 'redis', state: 'OPEN' }],
      faults: [{ id: 'f' } as Fault],
      halted: false,
    },
    gap: false,
  };
}

describe('pictureSource', () => {
  it('is live while the window ends now, also before all of it is loaded', () => {
    expect(lookAt(0, 60 * MINUTE)).toMatchObject({ ring: buffers, mode: 'DEGRADED' });
  });

  it('is live for a frozen window as far as the live buffers reach', () => {
    expect(lookAt(5 * MINUTE, 5 * MINUTE).ring).toBe(buffers);
  });

  it('never draws the present in the place of a past that is not loaded', () => {
    const { ring, facts, mode } = lookAt(120 * MINUTE, 5 * MINUTE);
    expect(ring).not.toBe(buffers);
    expect([facts, mode]).toEqual([[], null]);
  });

  it('is the loaded past with what held at its start when that has the whole window', () => {
    const past = makePast(now - 130 * MINUTE, now - 115 * MINUTE);
    useHistory.setState({ past });
    const source = lookAt(120 * MINUTE, 5 * MINUTE);
    expect(source).toMatchObject({
      ring: past.ring,
      facts: [{ seq: 7 }],
      mode: 'MINIMAL',
      faults: [{ id: 'f' }],
    });
    expect(source.breakers.get('redis')).toBe('OPEN');
    expect(lookAt(110 * MINUTE, 5 * MINUTE).ring).not.toBe(past.ring);
  });
});
