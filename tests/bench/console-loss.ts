import type { CuttableProxy } from '#tests/support/cuttable-proxy.ts';
import type { System } from '#tests/support/system.ts';
import { until } from '#tests/support/until.ts';
import type { ProbedPage } from './console-page.ts';
import { paintedOf, untilSeen } from './toggle-seen.ts';

const LIVE = { testId: 'live-status', attribute: 'data-state' };

/** The control process is stopped where it stands: from then until the page says STALE, ms. */
export async function measureStale(system: System, page: ProbedPage, rounds: number): Promise<number[]> {
  const times: number[] = [];
  const pid = await system.pid('control');
  for (let round = 0; round < rounds; round++) {
    await page.take();
    process.kill(pid, 'SIGSTOP');
    const stoppedAt = Date.now();
    try {
      const stale = { ...LIVE, value: 'stale' };
      const seen = await untilSeen(page, 'STALE is shown', (all) => paintedOf(all, stale) !== undefined);
      times.push((paintedOf(seen, stale)?.paintedAt ?? Number.NaN) - stoppedAt);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await untilLive(page);
    await page.page.waitForTimeout(round * 130); // not always at the same point between two ticks
  }
  return times;
}

async function untilLive({ page }: ProbedPage): Promise<void> {
  await page.locator('[data-testid="live-status"][data-state="live"]').waitFor({ timeout: 20_000 });
}

/** ms */
export interface ReconnectTimes {
  /** From the moment from which the network carries again. */
  sinceNetwork: number[];
  /** From the moment in which the socket has its snapshot. */
  sinceSnapshot: number[];
}

/**
 * The page's network is cut while facts go on: how soon after it carries again the page is live and its story has the
 * newest fact, with none missing before it.
 */
export async function measureReconnects(
  system: System,
  { page, proxy }: { page: ProbedPage; proxy: CuttableProxy },
  cutsMs: readonly number[],
): Promise<ReconnectTimes> {
  const times: ReconnectTimes = { sinceNetwork: [], sinceSnapshot: [] };
  for (const cutMs of cutsMs) {
    const { seq: before } = await system.state();
    await page.take();
    const cut = proxy.cut(cutMs);
    for (const text of ['one', 'two', 'three']) await system.api('POST', '/notes', { text: `cut: ${text}` });
    const { seq } = await system.state();
    await cut;
    const carriesAt = Date.now();
    const rightAt = await untilRight(page, before, seq);
    const snapshot = (await page.take()).findLast((each) => each.kind === 'snapshot' && each.at <= rightAt);
    times.sinceNetwork.push(rightAt - carriesAt);
    times.sinceSnapshot.push(rightAt - (snapshot?.kind === 'snapshot' ? snapshot.at : Number.NaN));
  }
  return times;
}

/** The control process is killed and comes back: from its first answer until the page has the right picture, ms. */
export async function measureRestart(system: System, page: ProbedPage): Promise<number> {
  const { seq: before } = await system.state();
  process.kill(await system.pid('control'), 'SIGKILL');
  const { seq } = await until('the control process is back', 30_000, () => system.state(), 20);
  const answersAt = Date.now();
  return (await untilRight(page, before, seq)) - answersAt;
}

/** Until the page is live and has every fact after `before` up to `seq`; gives when, epoch ms. */
async function untilRight({ page }: ProbedPage, before: number, seq: number): Promise<number> {
  const right = await page.waitForFunction(
    ({ from, to }) => {
      const live = document.querySelector('[data-testid="live-status"][data-state="live"]') !== null;
      const has = (each: number) =>
        document.querySelector(`[data-testid="story-line"][data-seq="${each}"]`) !== null;
      for (let each = from + 1; each <= to; each++) if (!has(each)) return false;
      return live && performance.timeOrigin + performance.now();
    },
    { from: before, to: seq },
    { polling: 'raf', timeout: 30_000 },
  );
  return Number(await right.jsonValue());
}
