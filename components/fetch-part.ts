import { useConnection } from './stores/connection-store.ts';

const AGAIN_AFTER_MS = 1_000;
/** Refused so often while the server answers otherwise, a part is of another build than the server's. */
const TRIES_CONNECTED = 5;

/**
 * Fetches a part of the page that is not in its first load, until it is there. Without this a part
 * asked for while the server is away takes the whole page down with it.
 * @throws what the part throws when it is run: that does not get better by itself
 */
export async function fetchPart<T>(load: () => Promise<T>): Promise<T> {
  for (let connected = 0; ; ) {
    try {
      return await load();
    } catch (error) {
      if (!(error instanceof Error && error.name === 'ChunkLoadError')) throw error;
      if (useConnection.getState().phase === 'connected') connected++;
      if (connected === TRIES_CONNECTED) useConnection.setState({ isOutdated: true });
      await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
    }
  }
}
