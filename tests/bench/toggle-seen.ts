import { until } from '#tests/support/until.ts';
import type { ProbedPage } from './console-page.ts';
import type { Seen } from './console-probe.ts';

export type Painted = Extract<Seen, { kind: 'painted' }>;

/** Takes what the probe sees until it is enough. */
export async function untilSeen(
  page: ProbedPage,
  what: string,
  isEnough: (seen: readonly Seen[]) => boolean,
  timeoutMs = 10_000,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  await until(
    what,
    timeoutMs,
    async () => {
      seen.push(...(await page.take()));
      return isEnough(seen) || undefined;
    },
    25,
  );
  return seen;
}

/** The first painting of this value from `fromAt` on, epoch ms. */
export function paintedOf(
  seen: readonly Seen[],
  { testId, attribute, value }: { testId: string; attribute: string; value: string },
  fromAt = Number.NEGATIVE_INFINITY,
): Painted | undefined {
  return seen.find(
    (each): each is Painted =>
      each.kind === 'painted' &&
      each.testId === testId &&
      each.attribute === attribute &&
      each.value === value &&
      each.at >= fromAt,
  );
}

export function firstOf<K extends Seen['kind']>(
  seen: readonly Seen[],
  kind: K,
): Extract<Seen, { kind: K }> | undefined {
  return seen.find((each): each is Extract<Seen, { kind: K }> => each.kind === kind);
}
