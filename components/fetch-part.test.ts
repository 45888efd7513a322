import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fetchPart } from './fetch-part.ts';
import { useConnection } from './stores/connection-store.ts';

beforeEach(() => {
  vi.useFakeTimers();
  useConnection.setState({ phase: 'connected', isOutdated: false });
});
afterEach(() => {
  vi.useRealTimers();
});

function notThere(): Error {
  return Object.assign(new Error('Failed to load chunk'), { name: 'ChunkLoadError' });
}

describe('a part of the page', () => {
  it('is asked for until it comes, and a server that is away does not make the page outdated', async () => {
    useConnection.setState({ phase: 'disconnected' });
    const load = vi.fn<() => Promise<string>>().mockRejectedValue(notThere());
    const part = fetchPart(load);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(load.mock.calls.length).toBeGreaterThan(50);
    expect(useConnection.getState().isOutdated).toBe(false);
    load.mockResolvedValue('here');
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(part).resolves.toBe('here');
  });

  it('that a server which answers does not have makes the page outdated', async () => {
    const load = vi.fn<() => Promise<string>>().mockRejectedValue(notThere());
    void fetchPart(load);
    await vi.advanceTimersByTimeAsync(3_500);
    expect(useConnection.getState().isOutdated).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(useConnection.getState().isOutdated).toBe(true);
  });

  it('that is broken is not asked for again', async () => {
    const load = vi.fn<() => Promise<string>>().mockRejectedValue(new TypeError('no such thing'));
    await expect(fetchPart(load)).rejects.toThrow('no such thing');
    expect(load).toHaveBeenCalledTimes(1);
  });
});
