import { timeThrough } from '#tests/support/paths.ts';
import type { System } from '#tests/support/system.ts';
import type { ProbedPage } from './console-page.ts';
import { firstOf, paintedOf, untilSeen } from './toggle-seen.ts';

/** ms */
export interface HaltTimes {
  /** From the click until every injector's acknowledgement has reached the operator's page. */
  acknowledged: number[];
  /** The same as the control process has measured it. */
  receipt: number[];
  /** From the click until the operator sees it, and until the other browser does. */
  painted: number[];
  paintedElsewhere: number[];
}

const BANNER = { testId: 'halted-banner', attribute: 'data-testid', value: 'halted-banner' };

/** HALT by a click on the operator's page, with a harmless fault on or with Redis and PostgreSQL made to hang. */
export async function measureHalts(
  system: System,
  { operator, other }: { operator: ProbedPage; other: ProbedPage },
  rounds: number,
  stores: boolean,
): Promise<HaltTimes> {
  const times: HaltTimes = { acknowledged: [], receipt: [], painted: [], paintedElsewhere: [] };
  for (let round = 0; round < rounds; round++) {
    await Promise.all(
      stores
        ? [system.startFault('redis', 'timeout'), system.startFault('database', 'timeout')]
        : [system.startFault('nemotron', 'latency', { params: { latencyMs: 5 } })],
    );
    await Promise.all([operator.take(), other.take()]);
    await operator.page.getByTestId('halt-button').click();
    const seen = await untilSeen(
      operator,
      'the halt is acknowledged and shown',
      (all) => firstOf(all, 'acknowledged') !== undefined && paintedOf(all, BANNER) !== undefined,
    );
    const elsewhere = await untilSeen(
      other,
      'the halt is shown in the other browser',
      (all) => paintedOf(all, BANNER) !== undefined,
    );
    const clickedAt = firstOf(seen, 'click')?.at ?? Number.NaN;
    const acknowledged = firstOf(seen, 'acknowledged');
    times.acknowledged.push((acknowledged?.at ?? Number.NaN) - clickedAt);
    times.receipt.push(acknowledged?.tookMs ?? Number.NaN);
    times.painted.push((paintedOf(seen, BANNER)?.paintedAt ?? Number.NaN) - clickedAt);
    times.paintedElsewhere.push((paintedOf(elsewhere, BANNER)?.paintedAt ?? Number.NaN) - clickedAt);
    if (stores) await timeThrough(system, 'redis'); // rejects while the fault acts
    await system.api('POST', '/resume', { reason: 'bench' });
    for (const { page } of [operator, other])
      await page.getByTestId(BANNER.testId).waitFor({ state: 'detached', timeout: 10_000 });
  }
  return times;
}
