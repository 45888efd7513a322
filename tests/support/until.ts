/** Share of every deadline; below 1 only for `npm run scenarios -- --sabotage`, where most waits are in vain. */
const SCALE = Number(process.env['UNTIL_SCALE'] ?? 1);

/**
 * Asks again and again until there is an answer; gives it.
 * @throws {Error} naming `what` after `timeoutMs`, with the last failure as its cause
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  ask: () => T | undefined | Promise<T | undefined>,
  everyMs = 100,
): Promise<T> {
  const limitMs = timeoutMs * SCALE;
  const deadline = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false && answer !== null) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const why = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`Waited ${limitMs} ms in vain until ${what}${why}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
