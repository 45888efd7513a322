import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { useConnection } from './connection-store.ts';
import { useLiveness } from './liveness-store.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const live = () => useLiveness.getState().live;

it('is stale within 2 s of the last tick and without data after 10, told nobody but by time', () => {
  useConnection.setState({ phase: 'connected', tickAt: performance.now() });
  const told: string[] = [];
  const stop = useLiveness.subscribe((store) => told.push(store.live));
  expect(live()).toBe('live');
  vi.advanceTimersByTime(1500);
  expect(live()).toBe('live');
  vi.advanceTimersByTime(500);
  expect(live()).toBe('stale');
  vi.advanceTimersByTime(8001);
  expect(live()).toBe('no-data');
  useConnection.setState({ tickAt: performance.now() });
  expect(live()).toBe('live');
  useConnection.setState({ phase: 'disconnected' });
  expect(live()).toBe('reconnecting');
  stop();
  expect(told).toEqual(['stale', 'no-data', 'live', 'reconnecting']);
});

it('stays live, without telling, as long as ticks come', () => {
  useConnection.setState({ phase: 'connected', tickAt: performance.now() });
  const told = vi.fn();
  const stop = useLiveness.subscribe(told);
  for (let tick = 0; tick < 20; tick++) {
    vi.advanceTimersByTime(500);
    useConnection.setState({ tickAt: performance.now() });
  }
  stop();
  expect(live()).toBe('live');
  expect(told).not.toHaveBeenCalled();
});
