const AGAIN_AFTER_MS = 1_000;

/**
 * Fetches a part of the page that is not in its first load, until it is there. Without this a part
 * asked for while the server is away takes the whole page down with it.
 */
export async function fetchPart<T>(load: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await load();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
    }
  }
}
