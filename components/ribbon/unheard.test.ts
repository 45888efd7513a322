import { afterEach, expect, it } from 'vitest';
import type { State } from '#lib/protocol/state.ts';
import { useConnection } from '../stores/connection-store.ts';
import { useSystem } from '../stores/state-store.ts';
import { unheardFrom } from './unheard.ts';

afterEach(() => {
  useConnection.setState({ phase: 'connecting', tickAt: null });
  useSystem.setState({ state: null, serverOffsetMs: 0 });
});

const heard = (agoMs: number) =>
  useConnection.setState({ phase: 'connected', tickAt: performance.now() - agoMs });
const told = (mode: State['mode'], ageMs: number) =>
  useSystem.setState({ state: { mode, pipeline: { ageMs } } as State });

it('knows everything while the stream runs', () => {
  heard(500);
  told('NORMAL', 300);
  expect(unheardFrom(Date.now())).toEqual({ all: null, pipeline: null });
});

it('knows nothing after the last tick, but what was before it', () => {
  heard(5_000);
  const now = Date.now();
  const { all } = unheardFrom(now);
  expect(Math.abs((all ?? 0) - (now - 5_000))).toBeLessThan(500);
  expect(unheardFrom(now - 60_000).all).toBeNull();
});

it('knows no mode from where the pipeline fell silent', () => {
  heard(500);
  told(null, 20_000);
  const now = Date.now();
  const { all, pipeline } = unheardFrom(now);
  expect(all).toBeNull();
  expect(Math.abs((pipeline ?? 0) - (now - 20_000))).toBeLessThan(500);
});
